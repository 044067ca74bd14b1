import { render } from 'preact';
import { Console } from './console.tsx';
import './styles/style.css';

render(<Console />, document.body);
