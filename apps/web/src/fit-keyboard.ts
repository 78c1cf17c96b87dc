/**
 * Makes the page as high as what the on-screen keyboard leaves of the screen, where the browser does not do that by itself
 * (Safari), as `--height`.
 */
export function fitKeyboard(): void {
  const { visualViewport } = window;
  if (!visualViewport) return;
  const fit = () => {
    // Someone who magnifies the page wants to see a part of it.
    if (visualViewport.scale > 1.01) return;
    document.documentElement.style.setProperty('--height', `${visualViewport.height}px`);
    scrollTo(0, 0);
  };
  visualViewport.addEventListener('resize', fit);
}
