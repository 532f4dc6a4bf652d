/* The parts of the html report that do not depend on the run. NUL-terminated. */
#ifndef TF_HTML_ASSETS_H
#define TF_HTML_ASSETS_H

/* {{style}}, {{data}} and {{script}} in it stand for the other parts. */
extern const char tf_html_page[], tf_html_style[];
extern const char *const tf_html_scripts[]; /* ends with NULL */

#endif
