// The text that a page shows, and with it what people see and innerText leaves out: numbers of lists, values of controls.
() => {
  const roman = (number) => {
    const letters = [['m', 1000], ['cm', 900], ['d', 500], ['cd', 400], ['c', 100], ['xc', 90], ['l', 50], ['xl', 40],
                     ['x', 10], ['ix', 9], ['v', 5], ['iv', 4], ['i', 1]];
    let text = '';
    for (const [letter, value] of letters) for (; number >= value; number -= value) text += letter;
    return text;
  };
  const marker = (style, number) => {
    if (['disc', 'circle', 'square', 'none'].includes(style)) return '';
    if (number > 0 && style.endsWith('-alpha'))
      return String.fromCharCode((style === 'lower-alpha' ? 96 : 64) + number) + '.';
    if (number > 0 && style.endsWith('-roman'))
      return (style === 'lower-roman' ? roman(number) : roman(number).toUpperCase()) + '.';
    return number + '.';
  };
  const isShown = (element) => {
    for (; element; element = element.parentElement) if (getComputedStyle(element).display === 'none') return false;
    return true;
  };
  const listOf = (item) => item.parentElement.closest('ol, ul, menu, dir');
  const span = (text, like) => {
    const made = document.createElement('span');
    made.textContent = text;
    made.style.textTransform = like ? getComputedStyle(like).textTransform : 'none';
    made.style.whiteSpace = 'pre';
    return made;
  };

  for (const details of document.querySelectorAll('details')) details.open = true;
  for (const input of document.querySelectorAll('input'))
    if (['text', 'submit', 'button'].includes(input.type)) input.replaceWith(span(` ${input.value} `, input));
  for (const area of document.querySelectorAll('textarea')) area.replaceWith(span(` ${area.value} `, area));
  for (const box of document.querySelectorAll('input[type=checkbox]')) box.replaceWith(span(box.checked ? '☒' : '☐', box));
  const items = [...document.querySelectorAll('*')].filter((element) => getComputedStyle(element).display === 'list-item'
                                                                        && element.tagName !== 'SUMMARY');
  const counters = new Map(), marks = [];
  for (const item of items.filter(isShown)) {
    const list = listOf(item);
    if (!counters.has(list)) {
      const start = list && list.tagName === 'OL' ? parseInt(list.getAttribute('start')) : 1;
      const step = list && list.tagName === 'OL' && list.reversed ? -1 : 1;
      const count = items.filter((other) => listOf(other) === list && other.parentElement === list).length;
      counters.set(list, {number: isNaN(start) ? (step < 0 ? count : 1) : start, step});
    }
    const counter = counters.get(list), value = parseInt(item.tagName === 'LI' ? item.getAttribute('value') : NaN);
    if (!isNaN(value)) counter.number = value;
    const style = getComputedStyle(item);
    if (style.visibility === 'visible') marks.push([item, marker(style.listStyleType, counter.number)]);
    counter.number += counter.step;
  }
  for (const [item, mark] of marks)
    if (mark && item.innerText.trim() && !item.closest('option')) item.insertBefore(span(mark + ' '), item.firstChild);
  return document.body ? document.body.innerText : '';
}
