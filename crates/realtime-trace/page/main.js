// Puts the page together.
const tabs = [...document.querySelectorAll('#tabs button')];
function showTab(name) {
  tabs.forEach(tab => tab.setAttribute('aria-pressed', String(tab.dataset.tab === name)));
  for (const id of ['conversation', 'events']) element(id).classList.toggle('shown', id === name);
  drawRows();
}
tabs.forEach(tab => tab.addEventListener('click', () => showTab(tab.dataset.tab)));

readColors();
fillNumbers();
fillConversation();
showTab('conversation');
draw();
new ResizeObserver(() => { requestDraw(); drawRows(); }).observe(document.body);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => { readColors(); requestDraw(); });
