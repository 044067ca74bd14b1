/* Before anything is painted: the colours that the reader chose, else those of the system. */
document.documentElement.dataset.theme = localStorage.getItem('theme') ?? '';
