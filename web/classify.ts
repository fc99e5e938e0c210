export function classifyView(_: HTMLElement): void {}
