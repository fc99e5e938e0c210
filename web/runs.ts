export function runsView(_: HTMLElement): void {}
