// KeyboardEvent.code to Linux evdev codes: both name the physical key.

const row = (first: number, codes: string): [string, number][] => codes.split(" ").map((code, i) => [code, first + i]);

export const EVDEV = new Map<string, number>([
  ...row(1, "Escape Digit1 Digit2 Digit3 Digit4 Digit5 Digit6 Digit7 Digit8 Digit9 Digit0 Minus Equal Backspace Tab"),
  ...row(16, "KeyQ KeyW KeyE KeyR KeyT KeyY KeyU KeyI KeyO KeyP BracketLeft BracketRight Enter ControlLeft"),
  ...row(30, "KeyA KeyS KeyD KeyF KeyG KeyH KeyJ KeyK KeyL Semicolon Quote Backquote ShiftLeft Backslash"),
  ...row(44, "KeyZ KeyX KeyC KeyV KeyB KeyN KeyM Comma Period Slash ShiftRight NumpadMultiply AltLeft Space CapsLock"),
  ...row(59, "F1 F2 F3 F4 F5 F6 F7 F8 F9 F10 NumLock ScrollLock Numpad7 Numpad8 Numpad9 NumpadSubtract"),
  ...row(75, "Numpad4 Numpad5 Numpad6 NumpadAdd Numpad1 Numpad2 Numpad3 Numpad0 NumpadDecimal"),
  ...row(86, "IntlBackslash F11 F12 IntlRo"),
  ...row(92, "Convert KanaMode NonConvert"),
  ...row(96, "NumpadEnter ControlRight NumpadDivide PrintScreen AltRight"),
  ...row(102, "Home ArrowUp PageUp ArrowLeft ArrowRight End ArrowDown PageDown Insert Delete"),
  ...row(113, "AudioVolumeMute AudioVolumeDown AudioVolumeUp Power NumpadEqual"),
  ["Pause", 119],
  ["NumpadComma", 121],
  ...row(122, "Lang1 Lang2 IntlYen MetaLeft MetaRight ContextMenu"),
  ...row(163, "MediaTrackNext MediaPlayPause MediaTrackPrevious MediaStop"),
  ...row(183, "F13 F14 F15 F16 F17 F18 F19 F20 F21 F22 F23 F24"),
]);
