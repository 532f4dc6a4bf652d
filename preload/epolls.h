/* The epoll instances of this process, as /proc shows them. */
#ifndef TF_EPOLLS_H
#define TF_EPOLLS_H

/* Removes descriptor `fd` from every epoll instance of the process, as the close
 * of its last duplicate would (epoll(7), questions and answers, 6). Async-signal-
 * safe; reads /proc, so not for the hot path. */
void tf_epolls_forget(int fd);

#endif
