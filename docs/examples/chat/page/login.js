/** Says why this device was logged out, where that was done elsewhere. */
import { found } from './found.js';

found(document.querySelector('#reason')).textContent = sessionStorage.getItem('reason');
sessionStorage.removeItem('reason');
