import { render } from 'preact';
import { Console } from './console.tsx';
import { unmarkTab } from './frame/tab-mark.ts';
import { applyTheme, readTheme } from './frame/theme.ts';
import './styles/style.css';

applyTheme(readTheme());
unmarkTab();
render(<Console />, document.body);
