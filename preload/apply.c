/* Carries out what was decided. */
#include "effect.h"
#include "hangup.h"
#include "readiness.h"

long tf_go(struct tf_call *call)
{
    if (tf_call_info[call->id].class == TF_CLASS_WAIT) {
        long ready = tf_readiness_wait(call);
        tf_hangup_hide(call, ready);
        return ready;
    }
    if (call->id == TF_epoll_ctl && call->socket)
        return tf_readiness_ctl(call);
    return tf_perform(call->id, call->arg);
}

long tf_apply(struct tf_call *call)
{
    long result;

    if (call->effect.rule == 0)
        return call->effect.clamp ? tf_effect_bytes(call) : tf_go(call);
    if (tf_has(call, TF_EFFECT_delay) && tf_effect_delay(call, &result))
        return result;
    if (tf_has(call, TF_EFFECT_signal) && tf_effect_signal(call, &result))
        return result;
    if (tf_has(call, TF_EFFECT_error))
        return tf_effect_error(call);
    if (tf_has(call, TF_EFFECT_reset))
        return tf_effect_reset(call);
    if (tf_has(call, TF_EFFECT_ignore))
        return tf_effect_ignore(call);
    if (tf_has(call, TF_EFFECT_drop))
        return tf_effect_drop(call);
    if (tf_has(call, TF_EFFECT_eof))
        return tf_effect_eof(call);
    if (tf_has(call, TF_EFFECT_rate))
        return tf_effect_rate(call);
    if (tf_has(call, TF_EFFECT_short) || tf_has(call, TF_EFFECT_corrupt) || call->effect.clamp)
        return tf_effect_bytes(call);
    return tf_go(call);
}

/* Rules with errno=: the real call has failed, and may now fail otherwise. */
long tf_apply_after(struct tf_call *call, long result)
{
    if (tf_has(call, TF_EFFECT_delay)) {
        tf_sleep_until(tf_now_ns() + call->effect.delay_ns);
        call->fired = true;
    }
    return tf_has(call, TF_EFFECT_error) ? tf_effect_error_after(call, result) : result;
}
