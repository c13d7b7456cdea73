#include "imaging/scanimage_header.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Text and the prefix that this version puts before its keys. */
typedef struct header {
    const char *text, *prefix;
} header;

static bool get_text(const header *h, const char *key, char *value, size_t n)
{
    char whole[128];

    snprintf(whole, sizeof whole, "%s%s", h->prefix, key);
    return nset_keyed_text(value, n, h->text, whole);
}

/* Numbers, true and false; Inf is 0 here: there is no count of it. */
static double get_number(const header *h, const char *key, double otherwise)
{
    const char *end, *p;
    char value[128];
    double x;

    if (!get_text(h, key, value, sizeof value))
        return otherwise;
    if (!strncmp(value, "true", 4) || !strncmp(value, "false", 5))
        return value[0] == 't';
    if (!strncmp(value, "Inf", 3))
        return 0;
    p = value + strspn(value, "['");
    x = nset_number(p, &end);
    return end == p || !isfinite(x) ? otherwise : x;
}

static int64_t get_count(const header *h, const char *key, int64_t otherwise)
{
    double x = get_number(h, key, (double)otherwise);

    return x >= 0 && x < 1e9 ? (int64_t)x : otherwise;
}

/* The numbers of 3, [1 2], [1;2]. */
static int parse_list(double *x, int most, const char *text)
{
    const char *end;
    int n = 0;

    for (const char *p = text; *p && n < most; p = end) {
        double v;
        p += strspn(p, "[;, ]");
        v = nset_number(p, &end);
        if (end == p)
            break;
        x[n++] = v;
    }
    return n;
}

static void parse_channels(nset_scanimage *s, const header *h, const char *key)
{
    double list[NSET_SCANIMAGE_CHANNELS];
    char value[512];
    int n = get_text(h, key, value, sizeof value) ? parse_list(list, NSET_SCANIMAGE_CHANNELS, value) : 0;

    for (int i = 0; i < n; i++)
        s->channel[i] = list[i] >= 1 && list[i] <= 1e6 ? (int)list[i] : 0;
    s->n_channels = n;
}

/* Corners of the field of view, x y of each. */
static void parse_field(nset_scanimage *s, const header *h)
{
    double corner[8];
    char value[256];

    if (!get_text(h, "hRoiManager.imagingFovUm", value, sizeof value) || parse_list(corner, 8, value) < 8)
        return;
    s->fov_um[0] = fabs(corner[5] - corner[1]);
    s->fov_um[1] = fabs(corner[4] - corner[0]);
}

static void parse_3(nset_scanimage *s, const char *text)
{
    header h = { text, "state." };
    double averaging = get_number(&h, "acq.averaging", 0);

    snprintf(s->version, sizeof s->version, "%.4g", get_number(&h, "software.version", 3));
    s->n_channels = (int)get_count(&h, "acq.numberOfChannelsSave", 1);
    s->n_channels = s->n_channels < NSET_SCANIMAGE_CHANNELS ? s->n_channels : NSET_SCANIMAGE_CHANNELS;
    for (int i = 0; i < s->n_channels; i++)
        s->channel[i] = i + 1;
    s->slices = get_count(&h, "acq.numberOfZSlices", 1);
    s->averaged = averaging != 0 ? get_number(&h, "acq.numAvgFramesSave", 1) : 1;
    s->frames_per_slice = get_count(&h, "acq.numberOfFrames", 1);
    s->frame_rate_hz = get_number(&h, "acq.frameRate", 0);
}

static void parse_4(nset_scanimage *s, const char *text)
{
    header h = { text, "scanimage.SI4." };
    double period = get_number(&h, "fastZPeriod", 0);

    snprintf(s->version, sizeof s->version, "%.4g", get_number(&h, "versionMajor", 4));
    parse_channels(s, &h, "channelsSave");
    get_text(&h, "channelsOffset", s->offsets, sizeof s->offsets);
    get_text(&h, "channelsSubtractOffset", s->subtracted, sizeof s->subtracted);
    s->fast = get_number(&h, "fastZActive", 0) != 0;
    s->slices = get_count(&h, "stackNumSlices", 1);
    s->flyback = get_number(&h, "fastZDiscardFlybackFrames", 0) != 0 ? get_count(&h, "fastZNumDiscardFrames", 0) : 0;
    s->frames_per_slice = get_count(&h, "acqNumFrames", 1);
    s->averaged = get_number(&h, "acqNumAveragedFrames", 1);
    s->frame_rate_hz = get_number(&h, "scanFrameRate", 0);
    s->volume_rate_hz = s->fast && period > 0 ? 1 / period : 0;
}

/* From 5 on. */
static void parse_new(nset_scanimage *s, const char *text, const char *prefix)
{
    header h = { text, prefix };
    char mode[32] = "";
    bool has_mode = get_text(&h, "hStackManager.stackMode", mode, sizeof mode);
    double stack = get_number(&h, "hStackManager.enable", -1);

    get_text(&h, "VERSION_MAJOR", s->version, sizeof s->version);
    parse_channels(s, &h, "hChannels.channelSave");
    get_text(&h, "hChannels.channelName", s->names, sizeof s->names);
    get_text(&h, "hChannels.channelOffset", s->offsets, sizeof s->offsets);
    get_text(&h, "hChannels.channelSubtractOffset", s->subtracted, sizeof s->subtracted);
    s->fast = stack >= 0 && has_mode ? stack != 0 && strstr(mode, "fast") : get_number(&h, "hFastZ.enable", 0) != 0;
    s->slices = get_count(&h, "hStackManager.actualNumSlices", get_count(&h, "hStackManager.numSlices", 1));
    if (!s->fast && stack == 0)
        s->slices = 1;
    s->flyback =
        get_number(&h, "hFastZ.discardFlybackFrames", 0) != 0 ? get_count(&h, "hFastZ.numDiscardFlybackFrames", 0) : 0;
    s->frames_per_slice = get_count(&h, "hStackManager.framesPerSlice", 1);
    s->averaged = get_number(&h, "hScan2D.logAverageFactor", 1);
    s->frame_rate_hz = get_number(&h, "hRoiManager.scanFrameRate", 0);
    s->volume_rate_hz = s->fast ? get_number(&h, "hRoiManager.scanVolumeRate", 0) : 0;
    s->several_fields = get_number(&h, "hRoiManager.mroiEnable", 0) != 0;
    parse_field(s, &h);
}

void nset_scanimage_parse(nset_scanimage *s, const char *text, const char *page_text)
{
    *s = (nset_scanimage){ 0 };
    if (text && strstr(text, "SI.") == text)
        parse_new(s, text, "SI.");
    else if (!strncmp(page_text, "state.", 6))
        parse_3(s, page_text);
    else if (strstr(page_text, "scanimage.SI4."))
        parse_4(s, page_text);
    else
        parse_new(s, page_text, strstr(page_text, "scanimage.SI5.") ? "scanimage.SI5." : "scanimage.SI.");
    if (s->n_channels < 1) {
        s->n_channels = 1;
        s->channel[0] = 1;
    }
    s->slices = s->slices < 1 ? 1 : s->slices;
    s->flyback = s->fast && s->slices > 1 ? s->flyback : 0;
    s->averaged = s->averaged >= 1 ? s->averaged : 1;
}

void nset_scanimage_frame(const char *text, double *number, double *seconds)
{
    *number = -1;
    *seconds = NAN;
    nset_keyed_number(number, text, "frameNumbers");
    if (!nset_keyed_number(seconds, text, "frameTimestamps_sec"))
        nset_keyed_number(seconds, text, "frameTimestamps");
}

void nset_scanimage_channel_name(const nset_scanimage *s, int channel, char *name, size_t n)
{
    const char *p = s->names, *end;

    *name = '\0';
    for (int i = 1; (p = strchr(p, '\'')) && (end = strchr(p + 1, '\'')); i++, p = end + 1)
        if (i == channel) {
            snprintf(name, n, "%.*s", (int)(end - p - 1), p + 1);
            return;
        }
}
