/* SPDX-License-Identifier: MIT */
/* tls/sessions.c: sessions of clients that can be resumed. A ticket of TLS 1.3 is used once, or two
 * connections could be told to be of one client; so sessions are taken, and one of TLS 1.2 is kept
 * again when its connection is closed. */
#include <string.h>

#include "tls/tls.h"

static struct nidoi_tls_session *session_place(nido_tls *tls, const char *key)
{
    for (unsigned i = 0; i < NIDOI_TLS_SESSIONS; i++)
        if (tls->sessions[i].session && !strcmp(tls->sessions[i].key, key))
            return &tls->sessions[i];
    return NULL;
}

SSL_SESSION *nidoi_tls_session_take(nido_tls *tls, const char *key)
{
    struct nidoi_tls_session *place;
    SSL_SESSION *session = NULL;

    pthread_mutex_lock(&tls->lock);
    place = session_place(tls, key);
    if (place) {
        session = place->session;
        place->session = NULL;
    }
    pthread_mutex_unlock(&tls->lock);
    return session;
}

/* The peer has sent no other ticket. */
static bool is_used_up(const struct nidoi_tls_conn *conn, const SSL_SESSION *session)
{
    return session == conn->resumed && SSL_version(conn->ssl) >= TLS1_3_VERSION;
}

void nidoi_tls_session_keep(struct nidoi_tls_conn *conn)
{
    SSL_SESSION *session = SSL_get1_session(conn->ssl), *old;
    struct nidoi_tls_session *place;
    nido_tls *tls = conn->tls;

    if (!session || !SSL_SESSION_is_resumable(session) || is_used_up(conn, session)) {
        SSL_SESSION_free(session);
        return;
    }
    pthread_mutex_lock(&tls->lock);
    place = session_place(tls, conn->key);
    if (!place) place = &tls->sessions[tls->next++ % NIDOI_TLS_SESSIONS];
    old = place->session;
    place->session = session;
    memcpy(place->key, conn->key, sizeof place->key);
    pthread_mutex_unlock(&tls->lock);
    SSL_SESSION_free(old);
}

void nidoi_tls_sessions_drop(nido_tls *tls)
{
    for (unsigned i = 0; i < NIDOI_TLS_SESSIONS; i++) {
        SSL_SESSION_free(tls->sessions[i].session);
        tls->sessions[i].session = NULL;
    }
}
