// SPDX-License-Identifier: MPL-2.0
// Chromium with a microphone that says what it is told to, and a camera that shows a film.
//
// The environment: BROWSER_DIR, where package.json's packages are; MEDIA, the folder of recordings; CAMERA, a film (Y4M);
// CHROMIUM, the program, if it is not `chromium`.

import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
export const packages = createRequire(join(process.env.BROWSER_DIR, 'package.json'));
const puppeteer = packages('puppeteer-core');
// Whoever runs this gives up a little later.
const LIMIT = 60_000;

export function fail(text) { throw new Error(text); }

class Browser {
  static async start(options = {}) {
    const browser = new Browser();
    const args = [
      '--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${process.env.CAMERA}`,
      '--autoplay-policy=no-user-gesture-required', '--disable-gpu', '--disable-dev-shm-usage',
      options.microphone === 'denied' ? '--deny-permission-prompts' : '--use-fake-ui-for-media-stream',
      // The tests run as root in containers, where Chromium has no sandbox.
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
    ];
    browser.browser = await puppeteer.launch({
      executablePath: process.env.CHROMIUM || '/usr/bin/chromium', args, headless: true,
      // A gateway's own certificate, which a visitor has to accept as well.
      acceptInsecureCerts: options.isSelfSigned ?? false,
    });
    browser.complaints = [];
    return browser;
  }

  // A page of the gateway. `files` are served at its address as well: the tests' own pages and recordings.
  async open(url, files = {}) {
    const page = await this.browser.newPage();
    page.setDefaultTimeout(LIMIT);
    page.on('console', message => { if (['error', 'warn'].includes(message.type())) this.complaints.push(message.text()); });
    page.on('pageerror', error => this.complaints.push(String(error.stack ?? error)));
    await page.setRequestInterception(true);
    page.on('request', request => {
      const name = new URL(request.url()).pathname.replace('/test/', '');
      if (!request.url().includes('/test/')) return request.continue();
      const body = name.endsWith('.wav') ? readFileSync(join(process.env.MEDIA, name)) : files[name]?.();
      return body === undefined ? request.respond({status: 404}) : request.respond({status: 200, body, contentType: kind(name)});
    });
    await page.evaluateOnNewDocument(readFileSync(join(here, 'media.js'), 'utf8'));
    await page.goto(url);
    return page;
  }

  // Nothing may be left to complain about but what is `expected`.
  async end(expected = /^$/) {
    await this.browser.close();
    const left = this.complaints.filter(text => !expected.test(text));
    if (left.length) fail(`the page complains: ${left.join('\n')}`);
  }
}

const kind = name => ({html: 'text/html', js: 'text/javascript', wav: 'audio/wav'})[name.split('.').pop()];
export const file = name => () => readFileSync(join(here, name));

// Waits until a function of the page gives something.
export async function until(page, what, condition, ...args) {
  try {
    return await (await page.waitForFunction(condition, {polling: 20, timeout: LIMIT}, ...args)).jsonValue();
  } catch (error) {
    const seen = await page.evaluate(() => `${document.body.innerText.slice(0, 2000)}\n${document.getElementById('log')?.textContent.split('\n').slice(-40).join('\n') ?? ''}`).catch(() => 'nothing, the page is gone');
    throw new Error(`it does not happen that ${what} (${error.message}); the page shows:\n${seen}`);
  }
}

export const say = (page, name) => page.evaluate(name => window.testMedia.say(name), name);
// The energy that the tracks from the server have had, as the browser measures it.
export const energy = page => page.evaluate(() => window.testMedia.energy());

// Runs a scenario in a browser of its own: prints what it gives as JSON, or what went wrong.
export async function perform(scenario, options, expected) {
  const browser = await Browser.start(options);
  try {
    const result = await scenario(browser);
    await browser.end(expected);
    console.log(JSON.stringify(result));
  } catch (error) {
    console.error(`${error.stack}\n${browser.complaints.join('\n')}`);
    await browser.browser.close();
    process.exit(1);
  }
}
