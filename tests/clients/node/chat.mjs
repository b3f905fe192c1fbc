// SPDX-License-Identifier: MPL-2.0
//
// Asks a server for chat completions with the official Node client, unchanged, and checks what comes back.
//
//     OPENAI_NODE_DIR=DIR node chat.mjs BASE_URL RECORDING.wav PICTURE.jpg
//
// A streamed spoken answer to a recording, a picture, a streamed function call, and an error. Prints one line of JSON that
// sums up what happened; anything that is wrong ends the script with status 1.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [base, recording, picture] = process.argv.slice(2);
const require = createRequire(resolve(process.env.OPENAI_NODE_DIR, 'package.json'));
const OpenAI = require('openai');
const client = new OpenAI({ baseURL: base, apiKey: 'none', maxRetries: 0 });
const read = (path) => readFileSync(path).toString('base64');
const user = (...content) => ({ role: 'user', content });
const sound = { type: 'input_audio', input_audio: { data: read(recording), format: 'wav' } };
const model = 'gpt-audio-1.5';

let said = '';
let bytes = 0;
const stream = await client.chat.completions.create({
  model,
  messages: [user(sound)],
  modalities: ['text', 'audio'],
  audio: { voice: 'alloy', format: 'pcm16' },
  stream: true,
});
for await (const chunk of stream) {
  const audio = chunk.choices[0]?.delta?.audio ?? {};
  said += audio.transcript ?? '';
  bytes += Buffer.from(audio.data ?? '', 'base64').length;
}

const image = { type: 'image_url', image_url: { url: `data:image/jpeg;base64,${read(picture)}` } };
const looked = await client.chat.completions.create({
  model,
  messages: [user({ type: 'text', text: 'What do you see?' }, image)],
});

const runner = client.chat.completions.runTools({
  model,
  messages: [{ role: 'user', content: 'What is the weather in Paris?' }],
  stream: true,
  tools: [
    {
      type: 'function',
      function: {
        name: 'get_weather',
        description: 'Get the weather of a city',
        parse: JSON.parse,
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
        function: ({ city }) => ({ city, temperature: 21 }),
      },
    },
  ],
});
const told = await runner.finalContent();

let error = null;
try {
  await client.chat.completions.create({ model: 'no-such-model', messages: [user(sound)] });
} catch (caught) {
  error = [caught.status, caught.code];
}
console.log(JSON.stringify({ said, bytes, seen: looked.choices[0].message.content, told, error }));
