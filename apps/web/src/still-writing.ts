/** Who has written a character less than this ago may not have seen yet that the page has changed, in ms. */
const writesOnMs = 1000;

let writtenAt = Number.NEGATIVE_INFINITY;

// A space is written too, but it is also how a button is pressed.
addEventListener('keydown', ({ key, isComposing }) => {
  if (isComposing || (key.length === 1 && key !== ' ')) writtenAt = performance.now();
});

/** Whether the user seems to be in the middle of a sentence: then a space or an Enter is a part of it, and presses no button. */
export function stillWriting(): boolean {
  return performance.now() - writtenAt < writesOnMs;
}
