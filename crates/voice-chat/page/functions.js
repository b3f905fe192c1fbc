// SPDX-License-Identifier: MPL-2.0
// A function as an example: the model may ask for the time in a place.

export const tools = [{
  type: 'function',
  name: 'time_in',
  description: 'The time now in a place.',
  parameters: {
    type: 'object',
    properties: {time_zone: {type: 'string', description: 'IANA name, such as Europe/Berlin'}},
    required: ['time_zone'],
  },
}];

export function call(name, text) {
  try {
    if (name !== 'time_in') throw new Error(`there is no function ${name}`);
    const {time_zone} = JSON.parse(text);
    return {time: new Date().toLocaleString('en-GB', {timeZone: time_zone})};
  } catch (error) {
    return {error: String(error.message)};
  }
}
