// SPDX-License-Identifier: MPL-2.0
// The page of voice-chat, used as people do.
//
//   page.mjs SCENARIO URL [TRANSPORT]      prints what it has measured as JSON, or what went wrong

import {mkdirSync} from 'node:fs';
import {energy, fail, packages, perform, say, until} from './browser.mjs';

const [scenario, url, transport = 'webrtc'] = process.argv.slice(2);

async function connect(page, settings = {}) {
  await page.evaluate((transport, settings) => {
    const form = document.getElementById('form').elements;
    form.transport.value = transport;
    for (const [name, value] of Object.entries(settings)) form[name].value = value;
  }, transport, settings);
  await page.click('#connect');
  await until(page, 'it connects', () => document.getElementById('state').dataset.state === 'connected');
  const name = await text(page, '#transport');
  if (name !== {webrtc: 'WebRTC', websocket: 'WebSocket'}[transport]) fail(`it is connected by ${name}`);
}

const text = (page, selector) => page.$eval(selector, element => element.textContent);

const isSaid = (page, role, words, index = 0) => until(page, `${role} ${index} says ${words}`, (role, words, index) => {
  const item = document.querySelectorAll(`#transcript .${role}:not(.partial) .words`)[index];
  return item && new RegExp(words, 'i').test(item.textContent) && item.textContent;
}, role, words, index);

const isHeard = page => until(page, 'a voice is heard', () => document.getElementById('model').value > 0.1);

async function disconnect(page) {
  await page.click('#connect');
  await until(page, 'it has ended well', () => document.getElementById('state').dataset.state === 'idle');
  if (await page.$eval('#problem', problem => !problem.hidden)) fail(`it complains: ${await text(page, '#problem')}`);
}

// A question and its answer, twice, with a page that was loaded anew between them.
async function conversation(browser) {
  const page = await browser.open(url);
  const talk = async () => {
    await connect(page);
    await say(page, 'goforward.wav');
    const heard = await isSaid(page, 'user', 'forward');
    await isHeard(page);
    const answer = await isSaid(page, 'assistant', '\\w');
    await until(page, 'the latency is shown', () => /\d+ ms/.test(document.getElementById('latency').textContent));
    if (transport === 'webrtc' && !(await energy(page) > 0)) fail('the track from the server is silent');
    return {heard, answer, latency: await text(page, '#latency')};
  };
  const first = await talk();
  await page.reload();
  const second = await talk();
  await disconnect(page);
  return {first, second};
}

// Speech over an answer stops it, and the transcript says where.
async function bargeIn(browser) {
  const page = await browser.open(url);
  await connect(page);
  await page.evaluate(() => {
    const seen = window.seen = {loud: 0, speech: 0, stopped: undefined};
    // The page's meter has a new level every 60 ms. What is loud after a pause is the next answer.
    setInterval(() => {
      const now = performance.now();
      if (document.getElementById('model').value > 0.05) seen.loud = now;
      else if (seen.speech && now - seen.loud > 400) seen.stopped ??= Math.round(seen.loud - seen.speech);
    }, 10);
    new MutationObserver(() => {
      const lines = document.getElementById('log').textContent.match(/speech_started/g) ?? [];
      if (lines.length > 1 && !seen.speech) seen.speech = performance.now();
    }).observe(document.getElementById('log'), {childList: true});
  });
  await say(page, 'goforward.wav');
  await isHeard(page);
  await say(page, 'goforward.wav');
  await until(page, 'the first answer is marked as interrupted', () =>
    /interrupted after \d/.test(document.querySelector('#transcript .assistant .cut')?.textContent));
  const stopped = await until(page, 'the voice stops', () => window.seen.stopped !== undefined && `${window.seen.stopped}`);
  const cut = await text(page, '#transcript .assistant');
  await isSaid(page, 'user', 'forward', 1);
  await isSaid(page, 'assistant', '\\w', 1);
  await disconnect(page);
  return {cut, stopped_ms: Number(stopped)};
}

// The camera's picture is described, and then it is off.
async function camera(browser, codec) {
  const page = await browser.open(url);
  await page.evaluate(codec => { window.testCodec = codec; }, codec);
  await connect(page);
  await page.click('#camera');
  await until(page, 'the preview shows', () => {
    const video = document.getElementById('preview');
    return !video.hidden && video.videoWidth > 0;
  });
  await say(page, 'goforward.wav');
  await until(page, 'the model gets a picture', () => /got: [1-9]/.test(document.getElementById('frames').textContent));
  await isSaid(page, 'assistant', '\\w');
  await page.type('#text', 'What colours are in the picture?');
  await page.click('#send');
  const answer = await isSaid(page, 'assistant', 'orange', 1);
  const sent = await page.evaluate(() => window.testMedia.codec());
  if (codec && sent !== codec) fail(`the pictures are sent as ${sent}`);
  await page.click('#camera');
  await until(page, 'the preview is gone', () => document.getElementById('preview').hidden);
  await disconnect(page);
  return {answer, sent};
}

// The model looks when it wants to; the server's script holds what it gets against what it expects.
async function functions(browser) {
  const page = await browser.open(url);
  await connect(page);
  await page.click('#camera');
  await until(page, 'the preview shows', () => document.getElementById('preview').videoWidth > 0);
  await page.type('#text', 'Look at this, and tell me the time.');
  await page.click('#send');
  await isSaid(page, 'assistant', 'I see it');
  // It goes with the message where the camera was quick, else when the model asks for it.
  await until(page, 'the model has got a picture', () => /got: [1-9]/.test(document.getElementById('frames').textContent));
  const notes = await page.$$eval('#transcript .note', notes => notes.map(note => note.textContent));
  await disconnect(page);
  return {notes};
}

// With push to talk nothing is heard until the button is held.
async function pushToTalk(browser) {
  const page = await browser.open(url);
  await connect(page, {turns: 'none'});
  await page.focus('#talk');
  await page.keyboard.down('Space');
  await say(page, 'goforward.wav');
  await page.keyboard.up('Space');
  const heard = await isSaid(page, 'user', 'forward');
  await isSaid(page, 'assistant', '\\w');
  await disconnect(page);
  return {heard};
}

// Media through the TURN server of the gateway, which goes no other way.
async function relay(browser) {
  const page = await browser.open(url);
  await connect(page);
  await say(page, 'goforward.wav');
  const heard = await isSaid(page, 'user', 'forward');
  await isHeard(page);
  const kind = await page.evaluate(() => window.testMedia.remoteCandidate());
  if (kind !== 'relay') fail(`media come from a candidate of type ${kind}`);
  await disconnect(page);
  return {heard, kind};
}

// Events that are under way as a visit ends do no harm, and a visit that ends before it has begun gives the microphone back.
async function leaves(browser) {
  const page = await browser.open(url);
  await connect(page);
  await page.evaluate(() => {
    const late = ['{"type":"voice_chat.ended","message":"late"}', '{"type":"voice_chat.frame","state":"sent"}'];
    window.lateEvents = 0;
    for (const {prototype} of [RTCDataChannel, WebSocket]) {
      const {close} = prototype;
      prototype.close = function () {
        close.call(this);
        for (const data of late) {
          // What a listener throws comes to the page's own error event, as it does for events from the network.
          this.dispatchEvent(new MessageEvent('message', {data}));
          window.lateEvents += 1;
        }
      };
    }
  });
  await disconnect(page);
  const events = await page.evaluate(() => window.lateEvents);
  if (!events) fail('no event came late');

  await page.evaluate(() => {
    const open = navigator.mediaDevices.getUserMedia;
    navigator.mediaDevices.getUserMedia = async constraints => {
      await new Promise(allow => { window.allow = allow; });
      return window.microphone = await open(constraints);
    };
  });
  await page.click('#connect');
  await until(page, 'the microphone is asked for', () => Boolean(window.allow));
  await disconnect(page);
  await page.evaluate(() => window.allow());
  await until(page, 'the microphone is given back', () =>
    window.microphone?.getTracks().every(track => track.readyState === 'ended'));
  return {events};
}

async function ends(browser, words) {
  const page = await browser.open(url);
  await page.click('#connect');
  const shown = await until(page, `it says ${words}`, words => {
    const problem = document.getElementById('problem');
    return !problem.hidden && new RegExp(words, 'i').test(problem.textContent) && problem.textContent;
  }, words);
  await until(page, 'it has ended', () => document.getElementById('connect').textContent === 'Connect');
  return {shown};
}

// Both sizes and both colours, before and in a conversation: what axe finds, and pictures of it in SCREENSHOTS.
async function looks(browser) {
  const axe = packages.resolve('axe-core/axe.min.js');
  const found = [];
  for (const [size, viewport] of [['desktop', {width: 1280, height: 800}],
    ['phone', {width: 390, height: 844, isMobile: true, hasTouch: true, deviceScaleFactor: 2}]]) {
    for (const colours of ['light', 'dark']) {
      const page = await browser.open(url);
      await page.setBypassCSP(true);
      await page.setViewport(viewport);
      await page.emulateMediaFeatures([{name: 'prefers-color-scheme', value: colours}]);
      await page.reload();
      const check = async when => {
        await page.addScriptTag({path: axe});
        const {violations} = await page.evaluate(() => window.axe.run());
        found.push(...violations.map(({id, impact, nodes}) => ({size, colours, when, id, impact, nodes: nodes.map(node => node.html)})));
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (wide > 0) fail(`${size}: the page is ${wide} pixels too wide`);
        if (!process.env.SCREENSHOTS) return;
        mkdirSync(process.env.SCREENSHOTS, {recursive: true});
        await page.screenshot({path: `${process.env.SCREENSHOTS}/${size}-${colours}-${when}.png`});
      };
      await check('before');
      await connect(page);
      await page.click('#camera');
      await until(page, 'the preview shows', () => document.getElementById('preview').videoWidth > 0);
      await say(page, 'goforward.wav');
      await isHeard(page);
      await say(page, 'goforward.wav');
      await isSaid(page, 'user', 'forward', 1);
      await isSaid(page, 'assistant', '\\w', 1);
      await page.$$eval('details', all => all.forEach(one => { one.open = true; }));
      await check('settings');
      await page.$$eval('details', all => all.forEach(one => { one.open = false; }));
      await check('conversation');
      await disconnect(page);
      await page.close();
    }
  }
  const serious = found.filter(({impact}) => ['serious', 'critical'].includes(impact));
  if (serious.length) fail(JSON.stringify(serious, null, 1));
  return {findings: found};
}

const scenarios = {
  conversation: [conversation],
  'barge-in': [bargeIn],
  camera: [camera],
  'camera-vp8': [browser => camera(browser, 'video/VP8')],
  'camera-h264': [browser => camera(browser, 'video/H264')],
  functions: [functions],
  'push-to-talk': [pushToTalk],
  leaves: [leaves],
  relay: [relay],
  looks: [looks],
  denied: [browser => ends(browser, 'not allowed'), {microphone: 'denied'}],
  'too-long': [browser => ends(browser, 'lasted as long')],
  gone: [browser => ends(browser, 'cannot be reached'), {}, /status of 504/],
};

const [run, options, expected] = scenarios[scenario] ?? fail(`there is no scenario ${scenario}`);
await perform(run, {...options, isSelfSigned: url.startsWith('https:')}, expected);
