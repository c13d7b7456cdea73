#include "ephys/neuropixels.h"

#include <string.h>

/* Electrode e of a shank is in row e / columns and column e % columns; y = row * dy, x = column * dx + even or odd, the
 * distance from the shank's edge to the first site of an even or odd row. Numbers from IMEC's catalogue of probe
 * features. */
struct nset_neuropixels {
    const char *parts; /* with spaces around each */
    double pitch;      /* of the shanks */
    int columns;
    double dx, dy, even, odd;
    int bank;         /* sites of a bank, when the entry tells channel and bank; 0: it tells the electrode */
    bool tells_shank; /* entry: channel shank bank ref electrode */
};

static const nset_neuropixels catalogue[] = {
    { " NP1000 NP1001 NP1010 NP1011 NP1012 NP1013 NP1014 PRB_1_4_0480_1 PRB_1_4_0480_1_C PRB_1_2_0480_2 ", 0, 2, 32, 20,
        27, 11, 384, false },
    { " NP1015 NP1016 NP1017 ", 0, 2, 32, 20, 27, 27, 384, false },
    { " NP1020 NP1021 NP1030 NP1031 ", 0, 2, 87, 20, 27, 11, 384, false },
    { " NP1022 NP1032 NP1033 NP1040 NP1041 NP1042 NP1050 NP1051 ", 0, 2, 103, 20, 11, 11, 384, false },
    { " NP1100 ", 0, 8, 6, 6, 14, 14, 384, false },
    { " NP1120 ", 0, 2, 4.5, 4.5, 6.75, 6.75, 384, false },
    { " NP1121 ", 0, 1, 0, 3, 6.25, 6.25, 384, false },
    { " NP1122 ", 0, 16, 3, 3, 12.5, 12.5, 384, false },
    { " NP1123 ", 0, 12, 4.5, 4.5, 10.25, 10.25, 384, false },
    { " NP1200 NP1210 ", 0, 2, 32, 31, 56.5, 36.5, 128, false },
    { " NP1300 NP1400 ", 0, 2, 48, 20, 11, 11, 384, false },
    { " NP3000 ", 0, 1, 0, 15, 59, 59, 128, false },
    { " NP2000 PRB2_1_2_0640_0 NP2003 NP2004 NP2005 NP3010 NP3011 NP3012 ", 0, 2, 32, 15, 27, 27, 0, false },
    { " NP2006 ", 0, 2, 32, 15, 27, 11, 0, false },
    { " NP2300 ", 0, 2, 48, 15, 11, 11, 0, false },
    { " NP2010 PRB2_4_2_0640_0 NP2013 NP2014 NP2020 NP2021 NP3020 NP3021 NP3022 NP3023 NP3024 ", 250, 2, 32, 15, 27, 27,
        0, true },
    { " NP2022 ", 2141.45, 2, 20, 15, 27, 11, 0, true },
};

const nset_neuropixels *nset_neuropixels_find(const char *part)
{
    size_t n = strlen(part);

    for (size_t i = 0; i < sizeof catalogue / sizeof *catalogue; i++)
        for (const char *p = catalogue[i].parts; n > 0 && (p = strstr(p, part)); p++)
            if (p[-1] == ' ' && p[n] == ' ')
                return &catalogue[i];
    return NULL;
}

bool nset_neuropixels_place(
    const nset_neuropixels *p, const double *entry, size_t n, int *shank, double *x_um, double *y_um)
{
    double number;
    long electrode;

    if (n < (p->bank ? 5 : p->tells_shank ? 5 : 4))
        return false;
    number = p->bank ? entry[0] + p->bank * entry[1] : entry[n - 1];
    if (!(number >= 0 && number < 1e6) || (p->tells_shank && !(entry[1] >= 0 && entry[1] < 64)))
        return false;
    electrode = (long)number;
    *shank = p->tells_shank ? (int)entry[1] : 0;
    *y_um = (double)(electrode / p->columns) * p->dy;
    *x_um =
        *shank * p->pitch + (double)(electrode % p->columns) * p->dx + (electrode / p->columns % 2 ? p->odd : p->even);
    return true;
}

bool nset_neuropixels_grid(
    const nset_neuropixels *p, double shank, double column, double row, double *x_um, double *y_um)
{
    if (!(shank >= 0 && shank < 64) || !(column >= 0 && column < p->columns) || !(row >= 0 && row < 1e5))
        return false;
    *x_um = (int)shank * p->pitch + (int)column * p->dx + ((int)row % 2 ? p->odd : p->even);
    *y_um = (int)row * p->dy;
    return true;
}

/* Column of the site that a channel of NP1110 reads in a bank; row counts from the bank's first row. */
static int ultra_column(long channel, int bank, int *row)
{
    static const int pair[2][4] = { { 0, 3, 1, 2 }, { 1, 2, 0, 3 } };
    int group = (int)(2 * (channel / 32) + (channel & 1)), k = (int)(channel % 32 / 4);
    int flip = (int)(channel % 32 / 2 & 1) ^ (bank / 4 & 1);

    *row = 8 * (group / 4) + (channel & 1 ? 7 - k : k);
    return 2 * pair[bank & 1][group % 4] + (channel & 1 ? 1 - flip : flip);
}

bool nset_neuropixels_ultra(int column_mode, const int *bank, long channel, double *x_um, double *y_um)
{
    int column, row, used;
    bool outer;

    if (channel < 0 || channel >= 384 || column_mode < 0 || column_mode > 2)
        return false;
    bank += 2 * (2 * (channel / 32) + (channel & 1));
    if (bank[0] < 0 || bank[0] > 15 || bank[1] < 0 || bank[1] > 15)
        return false;
    column = ultra_column(channel, bank[0], &row);
    outer = column <= 3 ? column % 2 == 0 : column % 2 == 1;
    used = column_mode == 2 || outer == (column_mode == 1) ? bank[0] : bank[1];
    column = ultra_column(channel, used, &row);
    *x_um = 15.5 + 6. * column;
    *y_um = 6. * (48 * used + row);
    return true;
}
