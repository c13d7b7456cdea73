/* The tags of an XML file, one after the other; no document is built, entities but the five named ones stay as they
 * are.
 */
#ifndef NSET_RESULTS_XML_H
#define NSET_RESULTS_XML_H

#include <stdbool.h>
#include <stddef.h>

typedef struct nset_xml {
    const char *at; /* the text, ending with 0; moves on */
} nset_xml;

typedef struct nset_xml_tag {
    char name[64];
    const char *attributes, *end; /* between the name and > */
    bool opens, closes;           /* both for <a/> */
} nset_xml_tag;

/* The next tag; false at the end of the text or where it is broken. */
bool nset_xml_next(nset_xml *x, nset_xml_tag *tag);

/* The next attribute from *at on, which moves; start with tag->attributes. */
bool nset_xml_attribute(
    const nset_xml_tag *tag, const char **at, char *name, size_t n_name, char *value, size_t n_value);

/* value := that attribute of the tag, "" when it has none. */
bool nset_xml_get(const nset_xml_tag *tag, const char *name, char *value, size_t n);

#endif
