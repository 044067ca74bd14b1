/** Shows why another device logged this one out. */
import { found } from './found.js';

found(document.querySelector('#reason')).textContent = sessionStorage.getItem('reason');
sessionStorage.removeItem('reason');
