/* harness/html/, in the executable: the report is one file that needs no other.
 * Paths are relative to where make runs. */
#include "html_assets.h"

#define ASSET(name, path)                                                                                    \
    __asm__(".pushsection .rodata\n.global tf_html_" #name "\ntf_html_" #name                                \
            ":\n.incbin \"harness/html/" path "\"\n.byte 0\n.popsection\n");

ASSET(page, "page.html")
ASSET(style, "page.css")
ASSET(dom, "dom.js")
ASSET(data, "data.js")
ASSET(summary, "summary.js")
ASSET(matrix, "matrix.js")
ASSET(states, "states.js")
ASSET(timeline, "timeline.js")
ASSET(findings, "findings.js")
ASSET(cases, "cases.js")
ASSET(main, "main.js")

extern const char tf_html_dom[], tf_html_data[], tf_html_summary[], tf_html_matrix[], tf_html_states[],
    tf_html_timeline[], tf_html_findings[], tf_html_cases[], tf_html_main[];

/* In the order in which they use each other. */
const char *const tf_html_scripts[] = {
    tf_html_dom,      tf_html_data,     tf_html_summary, tf_html_matrix, tf_html_states,
    tf_html_timeline, tf_html_findings, tf_html_cases,   tf_html_main,   0};
