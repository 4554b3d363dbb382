/* SPDX-License-Identifier: MIT */
/* Plays the files of directories again, for builds without libFuzzer: fuzz_program DIRECTORY... */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { MOST_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void play(const char *directory, const char *name)
{
    static uint8_t bytes[MOST_BYTES];
    char path[4096];
    size_t size;
    uint8_t *exact;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", directory, name);
    file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    exact = malloc(size ? size : 1); /* so that a memory checker sees a read past the end */
    if (!exact) exit(2);
    for (size_t i = 0; i < size; i++) exact[i] = bytes[i];
    fprintf(stderr, "%s\n", name);
    LLVMFuzzerTestOneInput(exact, size);
    free(exact);
}

static int play_all(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    int n = 0;

    if (!directory) {
        perror(path);
        exit(2);
    }
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] == '.') continue;
        play(path, entry->d_name);
        n++;
    }
    closedir(directory);
    return n;
}

int main(int argc, char **argv)
{
    int n = 0;

    for (int i = 1; i < argc; i++) n += play_all(argv[i]);
    printf("%d inputs\n", n);
    return n == 0;
}
