#include "preflight.h"

#include "elf_file.h"
#include "unit.h"

#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

static struct tf_preflight found;
static struct tf_error error;

/* A file in the scratch directory; its path. */
static const char *file(const char *name, const void *bytes, size_t length, mode_t mode)
{
    const char *path = tf_scratch(name);
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0700);
    if (fd < 0 || write(fd, bytes, length) != (ssize_t)length || fchmod(fd, mode))
        CU_FAIL("cannot write a file");
    close(fd);
    return path;
}

static const char *script(const char *name, const char *text)
{
    return file(name, text, strlen(text), 0755);
}

static void passes(const char *program, const char *binary)
{
    int result = tf_preflight(program, NULL, "/usr/bin:/bin", &found, &error);
    TF_CHECK(result == 0, "%s: %s", program, error.text);
    if (!result && binary) {
        char *expected = realpath(binary, NULL), *real = realpath(found.binary, NULL);
        TF_SAME(real, expected);
        free(expected);
        free(real);
    }
}

static void refused(const char *program, const char *because)
{
    memset(&error, 0, sizeof error);
    CU_ASSERT_EQUAL(tf_preflight(program, NULL, "/usr/bin:/bin", &found, &error), -1);
    TF_CHECK(strstr(error.text, because), "found \"%s\", expected \"...%s...\"", error.text, because);
}

static uint8_t *slurp(const char *path, size_t *length)
{
    FILE *stream = fopen(path, "r");
    uint8_t *bytes = malloc(1 << 22);
    *length = stream && bytes ? fread(bytes, 1, 1 << 22, stream) : 0;
    if (stream)
        fclose(stream);
    return bytes;
}

static void programs_are_found_as_execvp_finds_them(void)
{
    passes("sh", "/bin/sh");
    CU_ASSERT(*found.path == '/');
    passes("/bin/sh", "/bin/sh");
    refused("no-such-program", "no such program: \"no-such-program\" is not in PATH");
    refused("/no/such/program", "/no/such/program: no such file");
    refused("", "its name is empty");
    CU_ASSERT_EQUAL(tf_preflight("sh", NULL, "/nonexistent", &found, &error), -1);
    CU_ASSERT_EQUAL(tf_preflight("bin/sh", "/usr", NULL, &found, &error), 0);
    TF_SAME(found.path, "/usr/bin/sh");
    CU_ASSERT_EQUAL(tf_preflight("./sh", "/usr/bin", NULL, &found, &error), 0);
    TF_SAME(found.path, "/usr/bin/sh");
    CU_ASSERT_EQUAL(tf_preflight("sh", "/usr", "bin", &found, &error), 0);
    TF_SAME(found.path, "/usr/bin/sh");
    CU_ASSERT_EQUAL(tf_preflight("sh", "/nonexistent", NULL, &found, &error), -1);
}

static void what_is_no_program_is_refused(void)
{
    refused("/tmp", "is a directory");
    refused(file("plain", "x", 1, 0644), "is not executable");
    refused("/dev/null", "not a regular file");
    refused(file("binary", "\0\1\2\3", 4, 0755), "neither an ELF file nor a script");
    refused(file("cut", "\177ELF", 4, 0755), "damaged ELF file");
}

static void scripts_are_followed_to_their_interpreter(void)
{
    char text[600], inner[300];
    passes(script("one", "#!/bin/sh -e\nexit 0\n"), "/bin/sh");
    passes(script("two", "#! /bin/sh\n"), "/bin/sh");
    passes(script("three", "#!/usr/bin/env sh\n"), "/bin/sh");
    passes(script("four", "#!/usr/bin/env -S A=b -u HOME sh -x\n"), "/bin/sh");
    passes(script("five", "exit 0\n"), "/bin/sh");
    passes(script("empty", ""), "/bin/sh");
    snprintf(inner, sizeof inner, "%s", script("inner", "#!/bin/sh\n"));
    snprintf(text, sizeof text, "#!%s\n", inner);
    passes(script("outer", text), "/bin/sh");
    refused(script("bad", "#!/no/such/shell\n"), "its interpreter /no/such/shell: No such file or directory");
    refused(script("bad", "#!/usr/bin/env no-such-shell\n"), "\"no-such-shell\" is not in PATH");
    refused(script("bad", "#!\n"), "names no interpreter");
    snprintf(text, sizeof text, "#!%s\n", tf_scratch("loop"));
    refused(script("loop", text), "too many interpreters");
}

/* The smallest ELF file that says something: a header and `count` segments. */
static size_t make_elf(uint8_t *bytes, uint16_t machine, uint8_t class, int count, const ElfW(Phdr) * rows)
{
    uint8_t *own;
    size_t length;
    ElfW(Ehdr) header;
    own = slurp("/proc/self/exe", &length);
    memcpy(&header, own, sizeof header);
    free(own);
    if (machine)
        header.e_machine = machine;
    if (class)
        header.e_ident[EI_CLASS] = class;
    header.e_phoff = sizeof header;
    header.e_phnum = (uint16_t)count;
    memcpy(bytes, &header, sizeof header);
    if (count)
        memcpy(bytes + sizeof header, rows, (size_t)count * sizeof *rows);
    return sizeof header + (size_t)count * sizeof *rows;
}

static void static_programs_are_refused(void)
{
    uint8_t bytes[512] = {0};
    ElfW(Phdr) load = {.p_type = PT_LOAD};
    refused(file("static", bytes, make_elf(bytes, 0, 0, 1, &load), 0755),
            "is statically linked: nothing can be");

    /* ... as is a Go program, which says so in a note. */
    ElfW(Phdr) note = {.p_type = PT_NOTE, .p_offset = 200, .p_filesz = 24};
    make_elf(bytes, 0, 0, 1, &note);
    ElfW(Nhdr) name = {.n_namesz = 4, .n_descsz = 4, .n_type = 4};
    memcpy(bytes + 200, &name, sizeof name);
    memcpy(bytes + 200 + sizeof name, "Go\0", 4);
    refused(file("static", bytes, sizeof bytes, 0755), "(a Go program)");
}

static void other_machines_are_refused_by_name(void)
{
    uint8_t bytes[512] = {0};
    uint16_t other = EM_S390;
    refused(file("other", bytes, make_elf(bytes, other, 0, 0, NULL), 0755), "is built for s390x");
    refused(file("other", bytes, make_elf(bytes, EM_386, ELFCLASS32, 0, NULL), 0755),
            "is built for 32-bit x86");
    refused(file("other", bytes, make_elf(bytes, 999, 0, 0, NULL), 0755), "is built for machine 999");
}

static void musl_is_noted(void)
{
    uint8_t bytes[512] = {0};
    ElfW(Phdr) interpreter = {.p_type = PT_INTERP, .p_offset = 200, .p_filesz = 26};
    make_elf(bytes, 0, 0, 1, &interpreter);
    strcpy((char *)bytes + 200, "/lib/ld-musl-x86_64.so.1");
    passes(file("musl", bytes, sizeof bytes, 0755), NULL);
    TF_CHECK(strstr(found.note, "linked with musl"), "%s", found.note);
}

static void setuid_programs_are_refused(void)
{
    size_t length;
    uint8_t *bytes = slurp("/proc/self/exe", &length);
    char path[300];
    snprintf(path, sizeof path, "%s", file("suid", bytes, length, 0755));
    free(bytes);
    passes(path, path);
    /* One's own user: nothing changes. */
    CU_ASSERT_EQUAL(chmod(path, 04755), 0);
    passes(path, path);
    struct statvfs mount;
    bool ignored = statvfs(path, &mount) || mount.f_flag & ST_NOSUID;
    if (geteuid() == 0 && !ignored) {
        CU_ASSERT_EQUAL(chown(path, 65534, 0), 0);
        CU_ASSERT_EQUAL(chmod(path, 04755), 0);
        refused(path, "is setuid: the loader ignores LD_PRELOAD");
        CU_ASSERT_EQUAL(chown(path, 0, 65534), 0);
        CU_ASSERT_EQUAL(chmod(path, 02755), 0);
        refused(path, "is setgid");
    }
}

static void whatever_bytes_come_are_survived(void)
{
    size_t length;
    struct tf_elf elf;
    uint8_t *bytes = slurp("/bin/true", &length), *copy = malloc(length);
    CU_ASSERT(tf_elf_read(bytes, length, &elf));
    CU_ASSERT(elf.native && *elf.interpreter && elf.dynamic);
    for (size_t cut = 0; cut < length; cut += cut < 2000 ? 1 : 997) {
        uint8_t *exact = malloc(cut ? cut : 1);
        memcpy(exact, bytes, cut);
        tf_elf_read(exact, cut, &elf);
        free(exact);
    }
    unsigned int random = 1;
    for (int i = 0; i < 20000; i++) {
        memcpy(copy, bytes, length);
        for (int flips = 0; flips < 4; flips++) {
            random = random * 1103515245 + 12345;
            copy[(random >> 8) % 1024] = (uint8_t)(random >> 20);
        }
        tf_elf_read(copy, length, &elf);
    }
    free(bytes);
    free(copy);
}

TF_SUITE(preflight, TF_TEST(programs_are_found_as_execvp_finds_them), TF_TEST(what_is_no_program_is_refused),
         TF_TEST(scripts_are_followed_to_their_interpreter), TF_TEST(static_programs_are_refused),
         TF_TEST(other_machines_are_refused_by_name), TF_TEST(musl_is_noted),
         TF_TEST(setuid_programs_are_refused), TF_TEST(whatever_bytes_come_are_survived))
