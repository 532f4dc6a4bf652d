/* The json report is what run.schema.json says. */
#include "sample.h"
#include "unit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* Status of python3-jsonschema over the file. */
static int conforms(const char *path)
{
    char command[2048];
    snprintf(command, sizeof(command),
             "/usr/bin/python3 -c 'import json, sys, jsonschema\n"
             "jsonschema.Draft7Validator.check_schema(json.load(open(sys.argv[1])))\n"
             "jsonschema.validate(json.load(open(sys.argv[2])), json.load(open(sys.argv[1])))' "
             "'%s/harness/run.schema.json' '%s' >/dev/null 2>&1",
             TF_SOURCE, path);
    int status = system(command); /* NOLINT(cert-env33-c) */
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static const char *saved(const json_t *json)
{
    const char *path = tf_scratch("run.json");
    CU_ASSERT_EQUAL(json_dump_file(json, path, 0), 0);
    return path;
}

static void a_run_with_everything_conforms_and_a_wrong_one_does_not(void)
{
    tf_sample_build();
    json_t *run = tf_run_json(&tf_sample_run);
    tf_sample_clear();
    CU_ASSERT_EQUAL(conforms(saved(run)), 0);
    json_t *finding =
        json_array_get(json_object_get(json_array_get(json_object_get(run, "cases"), 1), "findings"), 0);
    CU_ASSERT_EQUAL(json_integer_value(json_object_get(finding, "times")), 6);
    json_object_set_new(finding, "severity", json_string("bad"));
    CU_ASSERT_EQUAL(conforms(saved(run)), 1);
    json_decref(run);
}

static void names_of(const json_t *schema, json_t *names)
{
    const char *key;
    json_t *each;
    json_object_foreach(json_object_get(schema, "properties"), key, each)
    {
        json_object_set(names, key, each);
    }
}

/* Also where a member is left out unless there is something to say. */
static void the_schema_has_every_member_and_a_description_for_it(void)
{
    static const char *const definitions[] = {"case", "finding", "frame", "program", "rule", "failure"};
    json_t *schema = json_load_file(TF_SOURCE "/harness/run.schema.json", 0, NULL), *names = json_object();
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    for (size_t i = 0; i < sizeof(definitions) / sizeof(definitions[0]); i++)
        names_of(json_object_get(json_object_get(schema, "definitions"), definitions[i]), names);
    const char *key;
    json_t *each;
    json_object_foreach(names, key, each)
    {
        TF_CHECK(json_object_get(each, "description") || json_object_get(each, "$ref") ||
                     json_object_get(each, "const"),
                 "%s is not described", key);
    }
    json_decref(names);
    json_decref(schema);
}

TF_SUITE(report_schema, TF_TEST(a_run_with_everything_conforms_and_a_wrong_one_does_not),
         TF_TEST(the_schema_has_every_member_and_a_description_for_it))
