// Where the picture lies on the screen. Positions are [row, column] in pixels of the picture, sizes
// [height, width]; a zoom is how many pixels of the screen one of the picture takes.

export const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const SMALLEST = 0.2;
export const LARGEST = 40;

// The zoom at which the whole picture is seen.
export const fitting = (size, screen) => clamp(Math.min(screen[0] / size[0], screen[1] / size[1]), 0.01, LARGEST);

// The zoom at which it fills the screen.
export const filling = (size, screen) => clamp(Math.max(screen[0] / size[0], screen[1] / size[1]), 0.01, LARGEST);

export const zoomed = (zoom, size, screen) => clamp(zoom, Math.min(fitting(size, screen), SMALLEST), LARGEST);

// The position nearest to `at` at which no edge is seen of a picture that is larger than the screen.
export const inside = (at, size, screen, zoom) =>
  at.map((value, i) => {
    const half = screen[i] / zoom / 2;
    return 2 * half >= size[i] ? size[i] / 2 : clamp(value, half, size[i] - half);
  });

// The pixels of the picture that are seen.
export function seen(at, size, screen, zoom) {
  const ends = at.map((value, i) => {
    const half = screen[i] / zoom / 2;
    return [Math.max(Math.floor(value - half + 1e-6), 0), Math.min(Math.ceil(value + half - 1e-6), size[i])];
  });
  const [[top, bottom], [left, right]] = ends.map(([low, high]) => [Math.min(low, high - 1), Math.max(high, low + 1)]);
  return { top, left, height: bottom - top, width: right - left };
}
