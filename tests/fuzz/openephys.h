/* A recording of one stream of two channels and 16 frames, for what lies beside it. */
#ifndef NSET_FUZZ_OPENEPHYS_H
#define NSET_FUZZ_OPENEPHYS_H

#include <string.h>

#include "recording.h"

#define FUZZ_RECORDING "experiment1/recording1/"
#define FUZZ_STREAM FUZZ_RECORDING "continuous/a-1.b/"

static inline const char *fuzz_openephys(void)
{
    static const char oebin[] =
        "{\"continuous\": [{\"folder_name\": \"a-1.b\", \"sample_rate\": 1000, \"num_channels\": 2, \"stream_name\": "
        "\"b\", \"source_processor_name\": \"Neuropix-PXI\", \"channels\": [{\"channel_name\": \"CH1\", \"bit_volts\": "
        "1}, {\"channel_name\": \"CH2\", \"bit_volts\": 1}]}]}";
    static const uint8_t samples[64];

    fuzz_file(FUZZ_STREAM "continuous.dat", samples, sizeof samples);
    return fuzz_file(FUZZ_RECORDING "structure.oebin", (const uint8_t *)oebin, sizeof oebin - 1);
}

#endif
