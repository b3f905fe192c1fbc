// SPDX-License-Identifier: MPL-2.0
// WebRTC clients that know OpenAI's service and nothing of this project, through the gateway.
//
//   clients.mjs agents|guide URL      prints what was said as JSON, or what went wrong

import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {energy, fail, file, perform, say, until} from './browser.mjs';

const [client, url] = process.argv.slice(2);
const bundle = () => readFileSync(
  join(process.env.BROWSER_DIR, 'node_modules/@openai/agents-realtime/dist/bundle/openai-realtime-agents.umd.js'));
const files = {'agents.html': file('agents.html'), 'agents.js': bundle, 'guide.html': file('guide.html')};

const wordsOf = {
  agents: (page, role) => until(page, `the history has words of the ${role}`, role => window.seen.history
    .filter(item => item.type === 'message' && item.role === role && item.status === 'completed')
    .flatMap(item => item.content).map(part => part.transcript ?? part.text ?? '').join(' ').trim(), role),
  guide: (page, role) => until(page, `there are words of the ${role}`, role => window.seen.words[role], role),
}[client] ?? fail(`there is no client ${client}`);

const sentEvents = page => page.evaluate(() => window.testMedia.sent.join('\n'));

async function talk(browser) {
  const page = await browser.open(`${url}test/${client}.html`, files);
  const call = await page.evaluate(() => window.start());
  if (!/rtc_/.test(call)) fail(`the call has the name ${call}`);
  await say(page, 'goforward.wav');
  const user = await wordsOf(page, 'user');
  const assistant = await wordsOf(page, 'assistant');
  for (const type of ['output_audio_buffer.started', 'output_audio_buffer.stopped', 'response.done']) {
    await until(page, `there is an event ${type}`, type => window.seen.events.includes(type), type);
  }
  if (!(await energy(page) > 0)) fail('the track from the server is silent');
  if (!/forward/i.test(user)) fail(`it heard: ${user}`);
  if (client === 'agents') {
    const errors = await page.evaluate(() => { window.session.close(); return window.seen.errors; });
    if (errors.length) fail(`the session has errors: ${errors}\nto what it sent: ${await sentEvents(page)}`);
  } else {
    await page.evaluate(() => window.dc.close());
  }
  return {call, user, assistant};
}

await perform(talk);
