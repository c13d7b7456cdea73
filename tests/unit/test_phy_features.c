/* Choices behind the features of Phy: contacts, like units, components. */
#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ephys/phy_features.h"

enum { CHANNELS = 5, LENGTH = 8, UNITS = 3 };

static float templates[UNITS * LENGTH * CHANNELS];
static nset_unit units[UNITS];
static double x[CHANNELS] = { 0, 20, 0, 20, 0 }, y[CHANNELS] = { 0, 0, 20, 20, 40 };
static int shank[CHANNELS] = { 0, 0, 0, 1, 0 };
static const nset_probe probe = { CHANNELS, x, y, shank };

static nset_sorting sorting(void)
{
    static const float shape[LENGTH] = { 0, 0, 1, -4, 2, 1, 0, 0 };

    for (size_t u = 0; u < UNITS; u++) {
        units[u] = (nset_unit){ .id = (int32_t)u, .channel = u == 2 ? 4 : 0 };
        for (size_t k = 0; k < LENGTH; k++)
            for (size_t c = 0; c < CHANNELS; c++)
                templates[(u * LENGTH + k) * CHANNELS + c] = c == units[u].channel ? shape[k]
                                                             : c == 2 && u == 1    ? 2 * shape[k] / 3
                                                                                   : 0;
    }
    return (nset_sorting){ .n_channels = CHANNELS,
        .n_units = UNITS,
        .units = units,
        .template_length = LENGTH,
        .template_pre = 3,
        .templates_whitened = templates };
}

START_TEST(near_contacts_are_of_the_shank_first)
{
    nset_sorting s = sorting();
    uint32_t contact[UNITS * CHANNELS];
    static const uint32_t all[CHANNELS] = { 0, 1, 2, 4, 3 }, of_last[3] = { 4, 2, 0 };

    nset_phy_near_contacts(contact, CHANNELS, &s, &probe);
    ck_assert_mem_eq(contact, all, sizeof all); /* 1 and 2 are as far: the lower number comes first */
    nset_phy_near_contacts(contact, 3, &s, &probe);
    ck_assert_mem_eq(contact + 3, all, 3 * sizeof *all);
    ck_assert_mem_eq(contact + 6, of_last, sizeof of_last);
}
END_TEST

START_TEST(like_units_begin_with_the_unit)
{
    nset_sorting s = sorting();
    uint32_t like[UNITS * UNITS];
    static const uint32_t want[UNITS * UNITS] = { 0, 1, 2, 1, 0, 2, 2, 0, 1 };

    ck_assert_int_eq(nset_phy_like_units(like, UNITS, &s, NULL), NSET_OK);
    ck_assert_mem_eq(like, want, sizeof want);
    ck_assert_int_eq(nset_phy_like_units(like, 1, &s, NULL), NSET_OK);
    ck_assert_uint_eq(like[1], 1);
}
END_TEST

START_TEST(components_are_orthonormal_and_hold_the_shape)
{
    nset_sorting s = sorting();
    uint32_t contact[UNITS * 2];
    float component[NSET_PHY_COMPONENTS * LENGTH];
    nset_error err = { 0 };
    double left = 0, norm = 0;

    nset_phy_near_contacts(contact, 2, &s, &probe);
    ck_assert_int_eq(nset_phy_components(component, &s, contact, 2, &err), NSET_OK);
    for (int a = 0; a < NSET_PHY_COMPONENTS; a++)
        for (int b = 0; b < NSET_PHY_COMPONENTS; b++) {
            double dot = 0;
            for (int k = 0; k < LENGTH; k++)
                dot += (double)component[a * LENGTH + k] * (double)component[b * LENGTH + k];
            ck_assert_double_eq_tol(dot, a == b, 1e-6);
        }
    for (int k = 0; k < LENGTH; k++) { /* three shifts of one shape: three components hold it whole */
        double sum = (double)templates[k * CHANNELS];
        norm += sum * sum;
        for (int a = 0; a < NSET_PHY_COMPONENTS; a++) {
            double dot = 0;
            for (int j = 0; j < LENGTH; j++)
                dot += (double)component[a * LENGTH + j] * (double)templates[j * CHANNELS];
            sum -= dot * (double)component[a * LENGTH + k];
        }
        left += sum * sum;
    }
    ck_assert_double_lt(left, 1e-10 * norm);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("phy features");
    TCase *c = tcase_create("all");
    SRunner *runner;
    int failed;

    tcase_add_test(c, near_contacts_are_of_the_shank_first);
    tcase_add_test(c, like_units_begin_with_the_unit);
    tcase_add_test(c, components_are_orthonormal_and_hold_the_shape);
    suite_add_tcase(s, c);
    runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
