/* A result folder: appears whole or not at all.
 *
 * Everything is written into DIR.tmp-neuroset beside it and renamed at the end; an existing DIR is kept unless
 * overwrite. The folders on the way to DIR are made. While a run writes, no other may; what a killed one left is
 * replaced, or gone on with. run.json is there from the start and is written anew after each stage, its status running;
 * done in the folder that appears, failed in one that could not be taken away or that waits to be gone on with.
 *
 * run.json holds version, command line, settings with their origins, facts, warnings, seconds and bytes per stage, and
 * the hash of the result files.
 */
#ifndef NSET_RESULTS_RUN_H
#define NSET_RESULTS_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <neuroset/error.h>

typedef struct nset_run_folder nset_run_folder;

nset_status nset_run_folder_open(nset_run_folder **out, const char *dir, bool overwrite, nset_error *err);
/* The same for a run whose stages leave files. key: a hash of all that decides the bytes of the result (letters and
 * digits). resume: what a run of the same key left is kept, else taken away; *out is left alone when its result is
 * there already. */
nset_status nset_run_folder_resume(
    nset_run_folder **out, const char *dir, bool overwrite, const char *key, bool resume, nset_error *err);
/* Start of the paths of what stages leave, to which they add their names; gone when the result is done. NULL without a
 * key. Owned by the folder. */
const char *nset_run_folder_work(const nset_run_folder *f);
/* Path of a file inside, made with its parent folders; owned by the folder, valid until it is freed. */
const char *nset_run_folder_path(nset_run_folder *f, const char *name, nset_error *err);
/* The object that becomes run.json; borrowed. Keys are added by whoever knows them. */
json_t *nset_run_folder_json(nset_run_folder *f);
/* Keeps which file was read: size, and a hash of its first and last MiB. */
void nset_run_folder_input(nset_run_folder *f, const char *path);
void nset_run_folder_warn(nset_run_folder *f, const char *format, ...) NSET_PRINTF(2, 3); /* also said to the user */
/* Seconds since the last call (or the opening) are booked to stage; bytes is what the stage held in memory. */
void nset_run_folder_stage(nset_run_folder *f, const char *stage, size_t bytes);
/* Writes run.json with the hash over the files named as result (by nset_run_folder_path), renames, frees f. */
nset_status nset_run_folder_commit(nset_run_folder *f, nset_error *err);
void nset_run_folder_abort(nset_run_folder *f); /* NULL is legal */

#endif
