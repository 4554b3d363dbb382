/* SPDX-License-Identifier: MIT */
/* swept_curl URL: cancels the adapter for libcurl at each of its cancellation points, with a real
 * server. After each the next transfer must succeed, and nothing may be left behind. */
#include <nido/test.h>

#include "../adapters/curl.h"

static const char *url;
static bool is_broken; /* the last run has left something that does not work */

static size_t drop(char *bytes, size_t one, size_t length, void *unused)
{
    (void)bytes;
    (void)one;
    (void)unused;
    return length;
}

static int transfer(cu_multi *multi)
{
    CURL *easy = curl_easy_init();
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, drop);
    int rc = cu_perform(multi, easy);
    curl_easy_cleanup(easy);
    return rc;
}

static int transfer_twice(void *unused)
{
    cu_multi multi;
    nido_group group;
    nido_scope scope;
    (void)unused;
    is_broken = false;
    nido_group_open(&group, NIDO_FAIL_FAST, "app");
    int rc = cu_open(&multi, &group);
    if (rc < 0) return nido_group_close(&group, rc);
    nido_scope_open(&scope);
    nido_scope_close(&scope, transfer(&multi));
    rc = transfer(&multi);
    is_broken = nido_scope_was_cancelled(&scope) && rc < 0;
    rc = nido_group_close(&group, rc);
    cu_close(&multi);
    return rc;
}

static int judge(void *unused, int rc)
{
    (void)unused;
    (void)rc;
    return is_broken ? -1 : 0;
}

int main(int argc, char **argv)
{
    nido_test_options options;
    if (argc != 2) return 2;
    url = argv[1];
    curl_global_init(CURL_GLOBAL_DEFAULT);
    nido_test_options_init(&options);
    options.name = "transfers of libcurl";
    options.flags = NIDO_TEST_INNERMOST | NIDO_TEST_LOOSE;
    options.run.clock = NIDO_CLOCK_REAL;
    options.check = judge;
    int broken = nido_sweep(transfer_twice, NULL, &options);
    broken += nido_sweep_memory(transfer_twice, NULL, &options);
    broken += nido_sweep_calls(transfer_twice, NULL, &options);
    curl_global_cleanup();
    return broken != 0;
}
