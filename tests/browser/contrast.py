"""Contrast as it is drawn: every visible text of a page against what lies behind it, by computed styles.

Why it exists: a palette that was worked out on paper says nothing about texts that are faded or in charts.
Not here: text inside a canvas, which has no styles of its own.
"""

from typing import Any, Final

# WCAG 2, level AA, for text of ordinary size.
LEAST: Final = 4.5

_SCRIPT: Final = """(least) => {
  const channel = v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const luminance = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const parsed = text => {
    const found = text.match(/rgba?\\(([^)]+)\\)/);
    if (!found) return null;
    const parts = found[1].split(/[ ,\\/]+/).map(Number);
    return [parts[0], parts[1], parts[2], parts.length > 3 ? parts[3] : 1];
  };
  const over = (front, back) => [0, 1, 2].map(i => front[i] * front[3] + back[i] * (1 - front[3])).concat(1);
  const behind = element => {
    const layers = [];
    for (let node = element; node; node = node.parentElement) {
      const colour = parsed(getComputedStyle(node).backgroundColor);
      if (colour && colour[3] > 0) layers.push(colour);
      if (colour && colour[3] === 1) break;
    }
    return layers.reverse().reduce((back, front) => over(front, back), [255, 255, 255, 1]);
  };
  const opacity = element => {
    let product = 1;
    for (let node = element; node; node = node.parentElement) product *= +getComputedStyle(node).opacity;
    return product;
  };
  const seen = { texts: 0, faint: [] };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent.trim(), element = walker.currentNode.parentElement;
    const box = element.getBoundingClientRect(), style = getComputedStyle(element);
    if (!text || box.width < 2 || box.height < 2 || style.visibility === 'hidden') continue;
    const shown = opacity(element);
    if (shown === 0) continue;
    const colour = parsed(element.tagName === 'text' ? style.fill : style.color);
    if (!colour) continue;
    const back = behind(element), front = over([...colour.slice(0, 3), colour[3] * shown], back);
    const [dark, light] = [luminance(front), luminance(back)].sort((a, b) => a - b);
    const ratio = (light + 0.05) / (dark + 0.05);
    seen.texts += 1;
    if (ratio < least) seen.faint.push(`${text.slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return seen;
}"""


def faint_texts(page: Any) -> tuple[int, list[str]]:
    """How many texts were looked at, and those below `LEAST` with their ratio."""
    found = page.evaluate(_SCRIPT, LEAST)
    return found["texts"], found["faint"]
