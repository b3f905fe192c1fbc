// SPDX-License-Identifier: MPL-2.0
// Functions as examples: the model may ask for the time in a place, and look through the camera.

const functions = {
  time_in: {
    description: 'The time now in a place.',
    parameters: {
      type: 'object',
      properties: {time_zone: {type: 'string', description: 'IANA name, such as Europe/Berlin'}},
      required: ['time_zone'],
    },
    run: ({time_zone}) => ({time: new Date().toLocaleString('en-GB', {timeZone: time_zone})}),
  },
  look: {
    description: 'A fresh look through the camera of the user: what it sees now.',
    parameters: {type: 'object', properties: {}},
    run: async (_, {hasCamera, sendFrame}) => {
      if (!hasCamera) throw new Error('the camera is off; the user can turn it on');
      // It is in the conversation before the output is.
      if (!await sendFrame()) throw new Error('no picture of the camera has come');
      return 'The newest picture of this conversation shows it.';
    },
  },
};

export const tools = Object.entries(functions).map(([name, {description, parameters}]) => ({
  type: 'function', name, description, parameters,
}));

// `page` has `hasCamera` and `sendFrame()`. What fails becomes an output as well, so that the model can say so.
export async function call(name, text, page) {
  try {
    const {run} = functions[name] ?? {};
    if (!run) throw new Error(`there is no function ${name}`);
    return await run(JSON.parse(text || '{}'), page);
  } catch (error) {
    return {error: String(error.message)};
  }
}
