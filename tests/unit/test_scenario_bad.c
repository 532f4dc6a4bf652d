/* Scenario files that are refused: each with one message, at its place. And the
 * places where keys are written down agree. */
#include "scenario.h"
#include "scenario_keys.h"
#include "unit.h"

#include <ctype.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static struct tf_error error;

static void refused(const char *text, size_t size, const char *message)
{
    memset(&error, 0, sizeof(error));
    struct tf_scenario *scenario = tf_scenario_parse("s.yaml", text, size, &error);
    TF_CHECK(scenario == NULL, "taken, though it should be refused: %s", message);
    TF_CHECK(strncmp(error.text, message, strlen(message)) == 0, "said \"%s\", not \"%s\"", error.text,
             message);
    TF_CHECK(strchr(error.text, '\n') == NULL, "more than a line: %s", error.text);
    tf_scenario_free(scenario);
}

/* ---- what is refused ---- */

static const struct {
    const char *file;
    int line, column;
    const char *message;
} bad[] = {
#define BAD(file, line, column, message) {file, line, column, message},
#include "bad_scenarios.def"
#undef BAD
};

enum { BADS = sizeof(bad) / sizeof(bad[0]) };

static const char bad_folder[] = TF_SOURCE "/tests/scenarios-bad";

static void every_bad_file_has_one_error_at_its_place(void)
{
    for (int i = 0; i < BADS; i++) {
        char path[512], message[1024];
        snprintf(path, sizeof(path), "%s/%s", bad_folder, bad[i].file);
        snprintf(message, sizeof(message), "%s:%d:%d: %s", path, bad[i].line, bad[i].column, bad[i].message);
        memset(&error, 0, sizeof(error));
        struct tf_scenario *scenario = tf_scenario_load(path, &error);
        TF_CHECK(scenario == NULL, "%s was taken", path);
        TF_CHECK(strncmp(error.text, message, strlen(message)) == 0, "said \"%s\", not \"%s\"", error.text,
                 message);
        tf_scenario_free(scenario);
    }
}

static void every_bad_file_is_in_the_table(void)
{
    DIR *folder = opendir(bad_folder);
    int files = 0;
    CU_ASSERT_PTR_NOT_NULL(folder);
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int rows = 0;
        for (int i = 0; i < BADS; i++)
            rows += strcmp(bad[i].file, entry->d_name) == 0;
        if (entry->d_name[0] == '.')
            continue;
        TF_CHECK(rows == 1, "%s has %d rows in bad_scenarios.def", entry->d_name, rows);
        files++;
    }
    closedir(folder);
    CU_ASSERT_EQUAL(files, BADS);
    CU_ASSERT(BADS >= 60);
}

/* `count` times `piece`, between `before` and `after`. */
static char *repeated(const char *before, const char *piece, size_t count, const char *after, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    fputs(before, out);
    for (size_t i = 0; i < count; i++)
        fprintf(out, piece, (unsigned int)i);
    fputs(after, out);
    fclose(out);
    return text;
}

static void what_is_too_large_is_refused(void)
{
    static const struct {
        const char *before, *piece;
        size_t count;
        const char *after, *message;
    } large[] = {
        {"# ", "0123456789", 1 << 20, "\n", "s.yaml:1:1: larger than 1024 KiB"},
        {"client: ", "[", 100000, "\n", "s.yaml:1:40: nested more than 32 levels deep"},
        {"client: ", "{a: ", 100000, "\n", "s.yaml:1:130: nested more than 32 levels deep"},
        {"needs: [", "a, ", 60000, "b]\n", "s.yaml:1:150000: more than 50000 values in one file"},
        {"client:\n  run: x\n  env:\n", "    A%u: x\n", 2000, "", "s.yaml:1004:5: more than 1000 keys"},
        {"client: x\ncases:\n", "- name: c%u\n", 1500, "", "s.yaml:1:1: more than 1000 cases"},
        {"programs:\n", "  p%u: x\n", 40, "", "s.yaml:34:3: more than 32 programs in a case"},
        {"client: x\nsteps:\n", "- pause: 1ms\n", 300, "", "s.yaml:1:1: more than 256 steps in a case"},
        {"client: {run: x, faults: [", "'%%in:eof', ", 65, "]}",
         "s.yaml:1:1: \"client\" has more than 64 faults"},
        {"client: x\ntags: [", "a, ", 100, "]\n", "s.yaml:2:7: more than 64 entries in \"tags\""},
    };
    for (size_t i = 0; i < sizeof(large) / sizeof(large[0]); i++) {
        size_t size;
        char *text = repeated(large[i].before, large[i].piece, large[i].count, large[i].after, &size);
        refused(text, size, large[i].message);
        free(text);
    }
}

static void what_is_no_text_is_refused(void)
{
#define BYTES(text) text, sizeof(text) - 1
    refused(BYTES("client: x\0y\n"), "s.yaml:1:10: byte 0x00 has no place in a text file");
    refused(BYTES("\x7f"
                  "ELF\x02\x01\x01\0"),
            "s.yaml:1:1: byte 0x7f has no place in a text file");
    refused(BYTES("client: x\nname: \x80\n"), "s.yaml:2:7: byte 0x80 is not UTF-8 text");
    refused(BYTES("name: \xc0\xaf\n"), "s.yaml:1:7: byte 0xc0 is not UTF-8 text");
    refused(BYTES("name: \xe2\x82\n"), "s.yaml:1:7: byte 0xe2 is not UTF-8 text");
    refused(BYTES("\xff\xfe"
                  "c\0l\0"),
            "s.yaml:1:1: byte 0xff is not UTF-8 text");
    refused(BYTES("client:\n\trun: x\n"), "s.yaml:2:1: found character that cannot start any token");
    refused(BYTES("name: \"\x1b[31m\"\n"), "s.yaml:1:8: byte 0x1b has no place in a text file");
    refused(BYTES(""), "s.yaml:1:1: the file is empty");
#undef BYTES
}

static void columns_count_characters(void)
{
    const char text[] = "name: \"\xc3\xa9\xe2\x82\xac\"\nclient: {run: \"\xc3\xa9 {prot}\"}\n";
    refused(text, sizeof(text) - 1, "s.yaml:2:18: unknown substitution \"{prot}\"");
}

static void what_is_no_file_is_refused(void)
{
    char path[512];
    snprintf(path, sizeof(path), "%s", tf_scratch("fifo.yaml"));
    CU_ASSERT_EQUAL(mkfifo(path, 0600), 0);
    CU_ASSERT_PTR_NULL(tf_scenario_load(path, &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "fifo.yaml: not a regular file"));
    CU_ASSERT_PTR_NULL(tf_scenario_load("/", &error));
    CU_ASSERT_PTR_NULL(tf_scenario_load("/nonexistent/x.yaml", &error));
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "/nonexistent/x.yaml: No such file"));
}

/* ---- the tables agree ---- */

static char *whole_file(const char *path)
{
    static char text[1 << 17];
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    if (file != NULL)
        fclose(file);
    text[length] = '\0';
    return text;
}

static int is_letter(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '-';
}

/* Each key stands in the file as a word of its own. */
static void all_keys_are_in(const char *path)
{
    const char *text = whole_file(path);
    for (size_t i = 0; tf_mappings[i] != NULL; i++)
        for (const struct tf_key *key = tf_mappings[i]->keys; key->name != NULL; key++) {
            int there = 0;
            for (const char *at = text; !there && (at = strstr(at, key->name)) != NULL; at++)
                there = at > text && !is_letter(at[-1]) && !is_letter(at[strlen(key->name)]);
            TF_CHECK(there, "%s: nothing about the key %s of %s", path, key->name, tf_mappings[i]->what);
        }
}

static void every_key_is_in_the_manual(void)
{
    all_keys_are_in(TF_SOURCE "/harness/man/tcpfault-scenario.5");
}

/* The schema's own keys of a definition; cases and files are written out. */
static json_t *properties(json_t *definition)
{
    json_t *each, *found = json_object_get(definition, "properties");
    size_t i;
    json_array_foreach(json_object_get(definition, "anyOf"), i, each)
    {
        if (found == NULL)
            found = json_object_get(each, "properties");
    }
    return found;
}

static void the_schema_has_the_same_keys(void)
{
    static const struct {
        const struct tf_mapping *mapping;
        const char *definition;
    } pairs[] = {
        {&tf_file_shape, NULL},
        {&tf_case_shape, "case"},
        {&tf_actor_shape, "program"},
        {&tf_expect_shape, "expect"},
        {&tf_step_shape, "step"},
        {&tf_wait_shape, "wait"},
        {&tf_pattern_shape, "pattern"},
        {&tf_event_shape, "event"},
        {&tf_state_shape, "state"},
        {&tf_fault_shape, "fault"},
        {&tf_arming_shape, "arm"},
        {&tf_occupy_shape, "occupy"},
        {&tf_fill_shape, "fill"},
        {&tf_time_wait_shape, "time_wait"},
        {&tf_late_segment_shape, "late_segment"},
    };
    json_t *schema = json_load_file(TF_SOURCE "/harness/scenario.schema.json", 0, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(schema);
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        json_t *definition =
            pairs[i].definition != NULL
                ? json_object_get(json_object_get(schema, "definitions"), pairs[i].definition)
                : schema;
        json_t *keys = properties(definition);
        if (keys == NULL) /* one, or a list of them */
            keys = properties(json_array_get(json_object_get(definition, "anyOf"), 0));
        size_t count = 0;
        for (const struct tf_key *key = pairs[i].mapping->keys; key->name != NULL; key++, count++)
            TF_CHECK(json_object_get(keys, key->name) != NULL, "the schema has no %s in %s", key->name,
                     pairs[i].mapping->what);
        TF_CHECK(json_object_size(keys) == count, "the schema has %zu keys in %s, not %zu",
                 json_object_size(keys), pairs[i].mapping->what, count);
    }
    json_decref(schema);
}

TF_SUITE(scenario_bad, TF_TEST(every_bad_file_has_one_error_at_its_place),
         TF_TEST(every_bad_file_is_in_the_table), TF_TEST(what_is_too_large_is_refused),
         TF_TEST(what_is_no_text_is_refused), TF_TEST(columns_count_characters),
         TF_TEST(what_is_no_file_is_refused), TF_TEST(every_key_is_in_the_manual),
         TF_TEST(the_schema_has_the_same_keys))
