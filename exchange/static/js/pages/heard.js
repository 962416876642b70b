// The last script of every page: from here on what is pressed is heard (css/base.css keeps presses off until then).

document.documentElement.dataset.heard = "";
