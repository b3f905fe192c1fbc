// SPDX-License-Identifier: MPL-2.0
//
// Has a server speak and transcribe with the official Node client, unchanged, and sums up what comes back.
//
//     OPENAI_NODE_DIR=DIR node audio.mjs BASE_URL RECORDING.wav
//
// Prints one line of JSON: speech that is heard back, transcripts in several formats and as a stream, and errors.

import { createReadStream } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [base, recording] = process.argv.slice(2);
const require = createRequire(resolve(process.env.OPENAI_NODE_DIR, 'package.json'));
const OpenAI = require('openai');
const client = new OpenAI({ baseURL: base, apiKey: 'none', maxRetries: 0 });

const speak = (more) =>
  client.audio.speech.create({
    model: 'gpt-4o-mini-tts',
    voice: 'alloy',
    input: 'The weather is nice. See you soon.',
    ...more,
  });
const transcribe = (more) =>
  client.audio.transcriptions.create({ file: createReadStream(recording), model: 'gpt-4o-mini-transcribe', ...more });
const refused = (promise) =>
  promise.then(
    () => null,
    (error) => [error.status, error.code, error.param],
  );

const speech = Buffer.from(await (await speak({ response_format: 'wav' })).arrayBuffer());
const heard = await transcribe({ file: await OpenAI.toFile(speech, 'speech.wav') });
let streamed = '';
for await (const event of await transcribe({ stream: true })) {
  if (event.type === 'transcript.text.delta') streamed += event.delta;
}
const verbose = await transcribe({ response_format: 'verbose_json' });

console.log(
  JSON.stringify({
    bytes: speech.length,
    heard_back: heard.text,
    text: (await transcribe({ language: 'en' })).text,
    streamed,
    srt: await transcribe({ response_format: 'srt' }),
    segments: verbose.segments.length,
    errors: {
      format: await refused(speak({ response_format: 'mp3' })),
      language: await refused(transcribe({ language: 'fr' })),
    },
  }),
);
