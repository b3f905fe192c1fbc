// SPDX-License-Identifier: MPL-2.0
// The conversation as a list. Texts are set as text, never as HTML.

export class Transcript {
  constructor(list) { this.list = list; this.items = new Map(); }

  item(id, role) {
    let item = this.items.get(id);
    if (!item) {
      item = document.createElement('li');
      item.className = `${role} partial`;
      const who = document.createElement('span');
      who.className = 'who';
      who.textContent = role === 'user' ? 'You' : 'Model';
      const words = document.createElement('span');
      words.className = 'words';
      item.append(who, words);
      this.list.append(item);
      this.items.set(id, item);
    }
    return item;
  }

  add(id, role, text) {
    const item = this.item(id, role);
    item.querySelector('.words').textContent += text;
    this.scroll();
  }

  finish(id, role, text) {
    const item = this.item(id, role);
    item.classList.remove('partial');
    if (text !== undefined) item.querySelector('.words').textContent = text || '(nothing)';
    this.scroll();
  }

  // The answer was cut after `heard` milliseconds; `text` is what was heard of it.
  cut(id, heard) {
    const item = this.item(id, 'assistant');
    if (item.querySelector('.cut')) return;
    const mark = document.createElement('span');
    mark.className = 'cut';
    mark.textContent = ` — interrupted after ${(heard / 1000).toFixed(1)} s`;
    item.append(mark);
    item.classList.remove('partial');
  }

  // What was heard of an answer that was cut.
  heard(id, text) {
    const item = this.items.get(id);
    if (item?.querySelector('.cut')) item.querySelector('.words').textContent = text;
  }

  note(text) {
    const item = document.createElement('li');
    item.className = 'note';
    item.textContent = text;
    this.list.append(item);
    this.scroll();
  }

  scroll() { this.list.scrollTop = this.list.scrollHeight; }
}
