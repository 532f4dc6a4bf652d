/* A run that has everything that reports tell of, and texts that try to escape. */
#ifndef TF_UNIT_SAMPLE_H
#define TF_UNIT_SAMPLE_H

#include "result.h"

/* ok; failed with findings; broken; skipped; ok, of another file */
enum { TF_SAMPLES = 5 };

extern const char tf_sample_hostile[];
extern struct tf_result tf_sample[TF_SAMPLES];
extern struct tf_run tf_sample_run;

void tf_sample_build(void);
void tf_sample_clear(void);

/* The whole report of it, built and cleared; the caller frees it. */
char *tf_sample_written(const char *format, struct tf_report_style style);

#endif
