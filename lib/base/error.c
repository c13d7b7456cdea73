#include <neuroset/error.h>

#include <stdarg.h>
#include <stdio.h>

nset_status nset_fail(nset_error *err, nset_status status, const char *format, ...)
{
    va_list args;

    if (err && err->status == NSET_OK) {
        err->status = status;
        va_start(args, format);
        vsnprintf(err->text, sizeof err->text, format, args);
        va_end(args);
        for (unsigned char *c = (unsigned char *)err->text; *c;
             c++) /* a damaged file's bytes must not break the line */
            if (*c < ' ' || *c == 127)
                *c = '?';
    }
    return status;
}

nset_status nset_fail_oom(nset_error *err, size_t n, size_t size)
{
    return nset_fail(err, NSET_ERR_NOMEM, "no memory for %zu elements of %zu bytes", n, size);
}
