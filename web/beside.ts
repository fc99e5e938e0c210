export function besideView(_: HTMLElement): void {}
