// What unfold's pages lack for screen readers: a main landmark, and a name of its own for the sidebar's scroller.

document.addEventListener("DOMContentLoaded", () => {
  (document.getElementById("main") ?? document.getElementById("page"))?.setAttribute("role", "main");
  document.getElementById("nav-sidebar-apps")?.setAttribute("data-simplebar-aria-label", "Pages");
});
