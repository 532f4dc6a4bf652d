#include "io.h"

#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* A call's bytes as an array of pieces, for every shape that has them. */
struct pieces {
    struct iovec one;
    const struct iovec *vector;
    size_t count;
};

static void pieces_of(const struct tf_call *call, struct pieces *pieces)
{
    const struct msghdr *message = NULL;

    *pieces = (struct pieces){.vector = NULL, .count = 0};
    switch (tf_call_info[call->id].shape) {
    case TF_SHAPE_BUFFER:
        pieces->one = (struct iovec){(void *)call->arg[1], (size_t)call->arg[2]};
        pieces->vector = &pieces->one;
        pieces->count = 1;
        break;
    case TF_SHAPE_VECTOR:
        pieces->vector = (const struct iovec *)call->arg[1];
        pieces->count = call->arg[2] > 0 ? (size_t)(int)call->arg[2] : 0;
        break;
    case TF_SHAPE_MESSAGE:
        message = (const struct msghdr *)call->arg[1];
        break;
    case TF_SHAPE_MESSAGES:
        if ((unsigned)call->arg[2] > 0)
            message = &((const struct mmsghdr *)call->arg[1])->msg_hdr;
        break;
    default:
        break;
    }
    if (message) {
        pieces->vector = message->msg_iov;
        pieces->count = message->msg_iovlen;
    }
    if (!pieces->vector || pieces->count > IOV_MAX) /* the real call will say EFAULT, EMSGSIZE */
        pieces->count = 0;
}

static uint64_t length_of(const struct iovec *vector, size_t count)
{
    uint64_t length = 0;
    for (size_t i = 0; i < count; i++)
        length += vector[i].iov_len;
    return length;
}

uint64_t tf_io_length(const struct tf_call *call)
{
    if (call->id == TF_sendfile)
        return (uint64_t)call->arg[3];
    if (tf_call_info[call->id].shape == TF_SHAPE_COUNT)
        return (uint64_t)call->arg[4];
    struct pieces pieces;
    pieces_of(call, &pieces);
    return length_of(pieces.vector, pieces.count);
}

int tf_io_flags(const struct tf_call *call)
{
    switch (call->id) {
    case TF_recv:
    case TF_recvfrom:
    case TF_send:
    case TF_sendto:
    case TF_recvmmsg:
    case TF_sendmmsg:
        return (int)call->arg[3];
    case TF_recvmsg:
    case TF_sendmsg:
        return (int)call->arg[2];
    default:
        return 0;
    }
}

uint64_t tf_io_moved(const struct tf_call *call, long result)
{
    uint64_t moved = 0;

    unsigned class = tf_call_info[call->id].class;
    if (result <= 0 || (class != TF_CLASS_IN && class != TF_CLASS_OUT))
        return 0;
    if (tf_call_info[call->id].shape != TF_SHAPE_MESSAGES)
        return (uint64_t)result;
    const struct mmsghdr *messages = (const struct mmsghdr *)call->arg[1];
    for (long i = 0; i < result; i++)
        moved += messages[i].msg_len;
    return moved;
}

/* The pieces that hold the first `most` bytes, the last one cut; at most
 * `count` of them into out[]. Returns how many. */
static size_t cut(const struct iovec *vector, size_t count, uint64_t most, struct iovec *out)
{
    size_t used = 0;
    for (; used < count && most > 0; used++) {
        out[used] = vector[used];
        if (out[used].iov_len > most)
            out[used].iov_len = most;
        most -= out[used].iov_len;
    }
    return used;
}

/* Performs the call with other pieces than its own. */
static long perform_pieces(struct tf_call *call, struct iovec *vector, size_t count)
{
    long arg[6];
    memcpy(arg, call->arg, sizeof arg);

    switch (tf_call_info[call->id].shape) {
    case TF_SHAPE_VECTOR:
        arg[1] = (long)vector;
        arg[2] = (long)count;
        return tf_perform(call->id, arg);
    case TF_SHAPE_MESSAGE: {
        struct msghdr *own = (struct msghdr *)call->arg[1];
        struct msghdr message = *own;
        message.msg_iov = vector;
        message.msg_iovlen = count;
        arg[1] = (long)&message;
        long result = tf_perform(call->id, arg);
        if (call->id == TF_recvmsg && result >= 0) {
            own->msg_namelen = message.msg_namelen;
            own->msg_controllen = message.msg_controllen;
            own->msg_flags = message.msg_flags;
        }
        return result;
    }
    case TF_SHAPE_MESSAGES: {
        struct mmsghdr *own = (struct mmsghdr *)call->arg[1];
        struct mmsghdr message = *own;
        message.msg_hdr.msg_iov = vector;
        message.msg_hdr.msg_iovlen = count;
        arg[1] = (long)&message;
        arg[2] = 1;
        long result = tf_perform(call->id, arg);
        if (result >= 0) {
            struct iovec *kept = own->msg_hdr.msg_iov;
            size_t kept_count = own->msg_hdr.msg_iovlen;
            *own = message;
            own->msg_hdr.msg_iov = kept;
            own->msg_hdr.msg_iovlen = kept_count;
        }
        return result;
    }
    default:
        return -EINVAL;
    }
}

long tf_io_perform(struct tf_call *call, uint64_t most)
{
    long arg[6];

    if (most >= tf_io_length(call) && tf_call_info[call->id].shape != TF_SHAPE_MESSAGES)
        return tf_perform(call->id, call->arg);
    memcpy(arg, call->arg, sizeof arg);
    switch (tf_call_info[call->id].shape) {
    case TF_SHAPE_BUFFER:
        arg[2] = (long)most;
        return tf_perform(call->id, arg);
    case TF_SHAPE_COUNT:
        arg[call->id == TF_sendfile ? 3 : 4] = (long)most;
        return tf_perform(call->id, arg);
    default:
        break;
    }
    struct pieces pieces;
    pieces_of(call, &pieces);
    if (pieces.count == 0)
        return tf_perform(call->id, call->arg);
    struct iovec vector[pieces.count];
    return perform_pieces(call, vector, cut(pieces.vector, pieces.count, most, vector));
}

long tf_io_perform_part(struct tf_call *call, uint64_t from, uint64_t most)
{
    struct pieces pieces;

    if (tf_call_info[call->id].shape == TF_SHAPE_COUNT) { /* the file's position has moved on */
        uint64_t left = tf_io_length(call) - from;
        return tf_io_perform(call, most < left ? most : left);
    }
    if (tf_call_info[call->id].shape == TF_SHAPE_MESSAGES)
        return 0; /* what is left is not sent, and the headers say so */
    pieces_of(call, &pieces);
    struct iovec vector[pieces.count ? pieces.count : 1];
    size_t used = 0;
    for (size_t i = 0; i < pieces.count; i++) {
        struct iovec piece = pieces.vector[i];
        uint64_t skip = from < piece.iov_len ? from : piece.iov_len;
        from -= skip;
        if (piece.iov_len > skip)
            vector[used++] = (struct iovec){(uint8_t *)piece.iov_base + skip, piece.iov_len - skip};
    }
    used = cut(vector, used, most, vector);
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = used};
    const long arg[6] = {call->fd, (long)&message, tf_io_flags(call)};
    return tf_perform(TF_sendmsg, arg);
}

long tf_io_perform_flipped(struct tf_call *call, uint64_t most, uint64_t at, unsigned bit)
{
    struct pieces pieces;
    pieces_of(call, &pieces);
    struct iovec vector[pieces.count + 2];
    size_t used = 0;
    uint8_t flipped = 0;

    for (size_t i = 0; i < pieces.count && most > 0; i++) {
        struct iovec piece = pieces.vector[i];
        if (piece.iov_len > most)
            piece.iov_len = most;
        most -= piece.iov_len;
        if (at < piece.iov_len) { /* before, the byte, after */
            flipped = ((const uint8_t *)piece.iov_base)[at] ^ (uint8_t)(1u << bit);
            if (at > 0)
                vector[used++] = (struct iovec){piece.iov_base, at};
            vector[used++] = (struct iovec){&flipped, 1};
            if (piece.iov_len > at + 1)
                vector[used++] = (struct iovec){(uint8_t *)piece.iov_base + at + 1, piece.iov_len - at - 1};
            at = UINT64_MAX;
        } else {
            vector[used++] = piece;
            at -= piece.iov_len;
        }
    }
    if (tf_call_info[call->id].shape != TF_SHAPE_BUFFER)
        return perform_pieces(call, vector, used);
    struct msghdr message = {.msg_iov = vector, .msg_iovlen = used};
    const long arg[6] = {call->fd, (long)&message, tf_io_flags(call)};
    return tf_perform(TF_sendmsg, arg);
}

bool tf_io_thrown_away(const struct tf_call *call)
{
    return tf_call_info[call->id].class == TF_CLASS_IN && (tf_io_flags(call) & MSG_TRUNC);
}

void tf_io_flip(struct tf_call *call, uint64_t at, unsigned bit)
{
    struct pieces pieces;
    pieces_of(call, &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        if (at < pieces.vector[i].iov_len) {
            ((uint8_t *)pieces.vector[i].iov_base)[at] ^= (uint8_t)(1u << bit);
            return;
        }
        at -= pieces.vector[i].iov_len;
    }
}

unsigned tf_io_preview(const struct tf_call *call, uint64_t moved, uint8_t *out, unsigned size)
{
    struct pieces pieces;
    unsigned copied = 0;

    if (tf_io_thrown_away(call))
        return 0;
    pieces_of(call, &pieces);
    for (size_t i = 0; i < pieces.count && copied < size && copied < moved; i++) {
        uint64_t length = pieces.vector[i].iov_len;
        if (length > size - copied)
            length = size - copied;
        if (length > moved - copied)
            length = moved - copied;
        if (length)
            memcpy(out + copied, pieces.vector[i].iov_base, length);
        copied += (unsigned)length;
    }
    return copied;
}
