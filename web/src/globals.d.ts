/** Whether this build has the page to play in the browser. */
declare const __HAS_PLAYER__: boolean;
