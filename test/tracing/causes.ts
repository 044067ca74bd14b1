/** Causes of events, as W3C Trace Context writes them. */
export const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736';
export const SPAN = '00f067aa0ba902b7';
export const CAUSE = `00-${TRACE}-${SPAN}-01`;
export const OTHER_CAUSE = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
