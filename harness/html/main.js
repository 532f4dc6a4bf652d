/* Everything, in the page's order; what a link points to is opened. */

function openTarget() {
  const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target || target.hidden) return;
  if (target.tagName === "DETAILS") target.open = true;
  target.scrollIntoView();
}

showTheme();
showSummary();
showFilters();
showFindings();
showTopics();
showMatrix();
showStates();
showCases();
refilter();
addEventListener("hashchange", openTarget);
openTarget();
