// Shows the values under the pointer, or where the arrow keys went, and points at the same moment in the other plots.

const plots = [...document.querySelectorAll('.plot')].map(figure => ({
  axis: figure.dataset.axis,
  chart: figure.querySelector('.chart'),
  cursor: figure.querySelector('.cursor'),
  tip: figure.querySelector('.tip'),
  data: JSON.parse(figure.querySelector('script').textContent),
}));

for (const plot of plots) {
  const { chart, data } = plot;
  let index = data.xs.length - 1;
  const go = to => {
    index = Math.min(data.xs.length - 1, Math.max(0, to));
    point(plot, index);
  };
  const goToPointer = event => {
    const { left, width } = chart.getBoundingClientRect();
    go(nearest(data.xs, (event.clientX - left) / width));
  };
  chart.addEventListener('pointermove', goToPointer);
  chart.addEventListener('pointerdown', goToPointer);
  chart.addEventListener('pointerleave', hideAll);
  chart.addEventListener('blur', hideAll);
  chart.addEventListener('keydown', event => {
    const steps = { ArrowLeft: index - 1, ArrowRight: index + 1, Home: 0, End: data.xs.length - 1 };
    if (event.key === 'Escape') hideAll();
    if (!(event.key in steps)) return;
    event.preventDefault();
    go(steps[event.key]);
  });
}

function point(from, index) {
  const place = from.data.xs[index];
  for (const plot of plots) {
    if (plot.axis !== from.axis) continue;
    showCursor(plot, nearest(plot.data.xs, place));
    plot.tip.hidden = plot !== from;
  }
  showTip(from, index);
}

function showCursor({ cursor, data }, index) {
  cursor.hidden = false;
  cursor.style.left = `${data.xs[index] * 100}%`;
  const dots = data.series.flatMap(({ tone, ys }) => {
    if (ys[index] === null) return [];
    const dot = element('span', `dot ${tone}`);
    dot.style.top = `${ys[index] * 100}%`;
    return [dot];
  });
  cursor.replaceChildren(...dots);
}

function showTip({ tip, data }, index) {
  const rows = data.series.flatMap(({ name, tone, texts }) => {
    if (texts[index] === '') return [];
    const label = element('span', `dot ${tone}`);
    label.append(element('i', '', name));
    const row = element('p');
    row.append(label, element('b', '', texts[index]));
    return [row];
  });
  tip.replaceChildren(element('p', '', data.labels[index]), ...rows);
  const onTheRight = data.xs[index] > 0.5;
  tip.style.left = onTheRight ? '' : `calc(${data.xs[index] * 100}% + 12px)`;
  tip.style.right = onTheRight ? `calc(${(1 - data.xs[index]) * 100}% + 12px)` : '';
}

function hideAll() {
  for (const { cursor, tip } of plots) {
    cursor.hidden = true;
    tip.hidden = true;
  }
}

function nearest(places, place) {
  return places.reduce((best, each, at) => (Math.abs(each - place) < Math.abs(places[best] - place) ? at : best), 0);
}

function element(name, className = '', text = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
