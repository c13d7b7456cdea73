#include "graph.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <neuroset/memory.h>
#include <neuroset/random.h>

nset_status nset_net_create(nset_net **out, nset_error *err)
{
    nset_net *net = nset_calloc(1, sizeof *net);

    if (!net)
        return nset_fail_oom(err, 1, sizeof *net);
    net->top_level = NSET_VECTOR;
    *out = net;
    return NSET_OK;
}

void nset_net_free(nset_net *net)
{
    if (!net)
        return;
    for (size_t i = 0; i < net->n_views; i++)
        nset_free(net->views[i].name);
    for (size_t i = 0; i < net->n_ties; i++)
        nset_tie_free(net->ties[i]);
    nset_free(net->ties);
    nset_free(net->views);
    nset_free(net->nodes);
    nset_free(net->outputs);
    nset_free(net->params);
    nset_free(net);
}

/* Keeps the first error of building. */
static int NSET_PRINTF(2, 3) refuse(nset_net *net, const char *format, ...)
{
    char text[sizeof net->error.text];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    nset_fail(&net->error, NSET_ERR_ARG, "%s", text);
    return -1;
}

static bool is_node(nset_net *net, nset_node x, const char *what)
{
    if (net->error.status != NSET_OK)
        return false;
    if (net->finished) {
        refuse(net, "%s: the network is finished", what);
        return false;
    }
    if (x < 0 || (size_t)x >= net->n_nodes) {
        refuse(net, "%s: node %d is none of the %zu nodes", what, x, net->n_nodes);
        return false;
    }
    return true;
}

static nset_node append(nset_net *net, node n)
{
    if (n.d == 0)
        return refuse(net, "node %zu of the network has no channels", net->n_nodes);
    if (nset_grow(&net->nodes, &net->nodes_capacity, net->n_nodes + 1, sizeof *net->nodes, &net->error) != NSET_OK)
        return -1;
    if (n.level > net->top_level)
        net->top_level = n.level;
    net->has_images |= n.level >= 0;
    net->nodes[net->n_nodes] = n;
    return (nset_node)net->n_nodes++;
}

/* A node like x: same domain, level and d. */
static node like(const nset_net *net, op kind, nset_node x)
{
    const node *from = &net->nodes[x];

    return (node){ .op = kind,
        .domain = from->domain,
        .level = from->level,
        .d = from->d,
        .x = x,
        .y = -1,
        .weight = -1,
        .bias = -1 };
}

/* Appends the view base.suffix. fan 0: filled with start. Returns its number, -1 after an error. */
static int add_view(
    nset_net *net, const char *base, const char *suffix, size_t rows, size_t columns, size_t fan, nset_real start)
{
    char *name;
    size_t n_base, n_suffix = strlen(suffix), n;
    view *v;

    if (net->error.status != NSET_OK)
        return -1;
    if (!base || !*base)
        return refuse(net, "a layer with parameters needs a name (%s)", suffix);
    if (__builtin_mul_overflow(rows, columns, &n) || n > SIZE_MAX / 64 - net->n_params)
        return refuse(net, "%s.%s: %zu x %zu parameters are too many", base, suffix, rows, columns);
    n_base = strlen(base);
    if (!(name = nset_calloc(n_base + n_suffix + 2, 1))) {
        nset_fail_oom(&net->error, n_base + n_suffix + 2, 1);
        return -1;
    }
    memcpy(name, base, n_base);
    name[n_base] = '.';
    memcpy(name + n_base + 1, suffix, n_suffix);
    for (size_t i = 0; i < net->n_views; i++)
        if (strcmp(net->views[i].name, name) == 0) {
            refuse(net, "two layers have the parameter '%s'", name);
            nset_free(name);
            return -1;
        }
    if (nset_grow(&net->views, &net->views_capacity, net->n_views + 1, sizeof *net->views, &net->error) != NSET_OK) {
        nset_free(name);
        return -1;
    }
    v = &net->views[net->n_views];
    *v = (view){ .param = { name, rows, columns, net->n_params }, .name = name, .fan = fan, .start = start };
    net->n_params += n;
    return (int)net->n_views++;
}

nset_node nset_net_input(nset_net *net, nset_domain domain, int level, size_t d)
{
    node n = { .op = OP_INPUT, .domain = domain, .level = level, .d = d, .x = -1, .y = -1, .weight = -1, .bias = -1 };

    if (net->error.status != NSET_OK)
        return -1;
    if (net->finished)
        return refuse(net, "input: the network is finished");
    if (level < NSET_VECTOR || level > 20)
        return refuse(net, "input %d: level %d, not NSET_VECTOR or 0 .. 20", net->n_inputs, level);
    n.how = net->n_inputs++;
    net->has_elements |= domain == NSET_ELEMENT;
    return append(net, n);
}

nset_node nset_net_dense(nset_net *net, nset_node x, const char *name, size_t d_out)
{
    node n;

    if (!is_node(net, x, "dense"))
        return -1;
    n = like(net, OP_DENSE, x);
    n.weight = add_view(net, name, "weight", n.d, d_out, n.d + d_out, 0);
    n.bias = add_view(net, name, "bias", d_out, 1, 0, 0);
    n.d = d_out;
    return n.bias < 0 ? -1 : append(net, n);
}

nset_node nset_net_activate(nset_net *net, nset_node x, nset_activation how)
{
    node n;

    if (!is_node(net, x, "activate"))
        return -1;
    if (how < NSET_RELU || how > NSET_SIGMOID)
        return refuse(net, "activate: there is no activation %d", (int)how);
    n = like(net, OP_ACTIVATE, x);
    n.how = (int)how;
    return append(net, n);
}

nset_node nset_net_layer_norm(nset_net *net, nset_node x, const char *name)
{
    node n;

    if (!is_node(net, x, "layer norm"))
        return -1;
    n = like(net, OP_NORM, x);
    n.weight = add_view(net, name, "scale", n.d, 1, 0, 1);
    n.bias = add_view(net, name, "shift", n.d, 1, 0, 0);
    return n.bias < 0 ? -1 : append(net, n);
}

nset_node nset_net_dropout(nset_net *net, nset_node x, double p)
{
    node n;

    if (!is_node(net, x, "dropout"))
        return -1;
    if (!(p >= 0 && p < 1))
        return refuse(net, "dropout: probability %g, not 0 <= p < 1", p);
    n = like(net, OP_DROPOUT, x);
    n.p = p;
    return append(net, n);
}

static bool fit_together(nset_net *net, nset_node a, nset_node b, const char *what)
{
    if (!is_node(net, a, what) || !is_node(net, b, what))
        return false;
    if (net->nodes[a].domain == net->nodes[b].domain && net->nodes[a].level == net->nodes[b].level)
        return true;
    refuse(net, "%s: nodes %d and %d differ in domain or level", what, a, b);
    return false;
}

static nset_node combine(nset_net *net, nset_node a, nset_node b, op kind, const char *what)
{
    node n;

    if (!fit_together(net, a, b, what))
        return -1;
    if (net->nodes[a].d != net->nodes[b].d)
        return refuse(net, "%s: %zu and %zu channels", what, net->nodes[a].d, net->nodes[b].d);
    n = like(net, kind, a);
    n.y = b;
    return append(net, n);
}

nset_node nset_net_add(nset_net *net, nset_node a, nset_node b)
{
    return combine(net, a, b, OP_ADD, "add");
}

nset_node nset_net_multiply(nset_net *net, nset_node a, nset_node b)
{
    return combine(net, a, b, OP_MULTIPLY, "multiply");
}

nset_node nset_net_concat(nset_net *net, nset_node a, nset_node b)
{
    node n;

    if (!fit_together(net, a, b, "concat"))
        return -1;
    n = like(net, OP_CONCAT, a);
    n.y = b;
    n.d += net->nodes[b].d;
    return append(net, n);
}

nset_node nset_net_pool(nset_net *net, nset_node x, nset_pool how)
{
    node n;

    if (!is_node(net, x, "pool"))
        return -1;
    if (net->nodes[x].domain != NSET_ELEMENT)
        return refuse(net, "pool: node %d belongs to sets, not to elements", x);
    if (how < NSET_POOL_SUM || how > NSET_POOL_LSE)
        return refuse(net, "pool: there is no pool %d", (int)how);
    n = like(net, OP_POOL, x);
    n.domain = NSET_SET;
    n.how = (int)how;
    return append(net, n);
}

nset_node nset_net_broadcast(nset_net *net, nset_node s)
{
    node n;

    if (!is_node(net, s, "broadcast"))
        return -1;
    if (net->nodes[s].domain != NSET_SET)
        return refuse(net, "broadcast: node %d belongs to elements, not to sets", s);
    n = like(net, OP_BROADCAST, s);
    n.domain = NSET_ELEMENT;
    net->has_elements = true;
    return append(net, n);
}

nset_node nset_net_log_size(nset_net *net)
{
    node n = {
        .op = OP_LOG_SIZE, .domain = NSET_SET, .level = NSET_VECTOR, .d = 1, .x = -1, .y = -1, .weight = -1, .bias = -1
    };

    if (net->error.status != NSET_OK)
        return -1;
    if (net->finished)
        return refuse(net, "log size: the network is finished");
    net->has_elements = true;
    return append(net, n);
}

/* x Lambda starts its chains at the rows of pool(x) Gamma + b: one product over elements, one over sets. */
nset_node nset_net_equivariant(nset_net *net, nset_node x, const char *name, size_t d_out, nset_pool how)
{
    nset_node pooled = nset_net_pool(net, x, how);
    int lambda, gamma, bias;
    node of_set, n;

    if (pooled < 0)
        return -1;
    of_set = like(net, OP_DENSE, pooled);
    n = like(net, OP_DENSE, x);
    lambda = add_view(net, name, "lambda", n.d, d_out, n.d + d_out, 0);
    gamma = add_view(net, name, "gamma", n.d, d_out, n.d + d_out, 0);
    bias = add_view(net, name, "bias", d_out, 1, 0, 0);
    if (bias < 0)
        return -1;
    of_set.weight = gamma;
    of_set.bias = bias;
    n.weight = lambda;
    of_set.d = n.d = d_out;
    n.y = append(net, of_set);
    return n.y < 0 ? -1 : append(net, n);
}

nset_node nset_net_conv1d(
    nset_net *net, nset_node x, const char *name, size_t length, size_t kernel, size_t stride, size_t c_out)
{
    node n;

    if (!is_node(net, x, "conv1d"))
        return -1;
    n = like(net, OP_CONV1D, x);
    if (length == 0 || n.d % length)
        return refuse(net, "conv1d: rows of %zu numbers are no sequences of length %zu", n.d, length);
    if (kernel % 2 == 0 || kernel > 1024 || stride == 0)
        return refuse(net, "conv1d: kernel %zu must be odd and stride %zu above 0", kernel, stride);
    n.channels = n.d / length;
    n.length = length;
    n.kernel = kernel;
    n.stride = stride;
    n.weight = add_view(net, name, "weight", kernel * n.channels, c_out, kernel * (n.channels + c_out), 0);
    n.bias = add_view(net, name, "bias", c_out, 1, 0, 0);
    n.d = (length + stride - 1) / stride * c_out;
    return n.bias < 0 ? -1 : append(net, n);
}

nset_node nset_net_conv2d(nset_net *net, nset_node x, const char *name, size_t kernel, size_t c_out)
{
    node n;

    if (!is_node(net, x, "conv2d"))
        return -1;
    n = like(net, OP_CONV2D, x);
    if (n.level < 0)
        return refuse(net, "conv2d: node %d has no pixels", x);
    if (kernel % 2 == 0 || kernel > 255)
        return refuse(net, "conv2d: kernel %zu, not an odd number up to 255", kernel);
    n.channels = n.d;
    n.kernel = kernel;
    n.stride = 1;
    n.weight = add_view(net, name, "weight", kernel * kernel * n.d, c_out, kernel * kernel * (n.d + c_out), 0);
    n.bias = add_view(net, name, "bias", c_out, 1, 0, 0);
    n.d = c_out;
    return n.bias < 0 ? -1 : append(net, n);
}

nset_node nset_net_tied(nset_net *net, nset_node x, const char *name, const nset_tie *tie, size_t c_out)
{
    nset_tie *copy;
    node n;

    if (!is_node(net, x, "tied"))
        return -1;
    n = like(net, OP_TIED, x);
    if (tie->n == 0 || n.d % tie->n)
        return refuse(net, "tied: rows of %zu numbers are no %zu points", n.d, tie->n);
    if (nset_grow(&net->ties, &net->ties_capacity, net->n_ties + 1, sizeof *net->ties, &net->error) != NSET_OK ||
        !(copy = nset_tie_copy(tie, &net->error)))
        return -1;
    n.how = (int)net->n_ties;
    net->ties[net->n_ties++] = copy;
    n.channels = n.d / tie->n;
    n.weight =
        add_view(net, name, "weight", tie->n_weights * n.channels, c_out, tie->n * n.channels + tie->m * c_out, 0);
    n.bias = add_view(net, name, "bias", tie->n_biases, c_out, 0, 0);
    n.d = tie->m * c_out;
    return n.bias < 0 ? -1 : append(net, n);
}

static bool is_entry(nset_net *net, nset_node x, const char *what)
{
    if (!is_node(net, x, what))
        return false;
    if (net->nodes[x].domain == NSET_ELEMENT && net->nodes[x].level < 0)
        return true;
    refuse(net, "%s: node %d is no vector of an element", what, x);
    return false;
}

nset_node nset_net_axis_mean(nset_net *net, nset_node x, unsigned keep, nset_node seen)
{
    node n;

    if (!is_entry(net, x, "axis mean") || (seen != -1 && !is_entry(net, seen, "axis mean")))
        return -1;
    if (keep >= NSET_MAX_MASKS)
        return refuse(net, "axis mean: at most %d axes", NSET_MAX_AXES);
    if (seen != -1 && net->nodes[seen].d != 1)
        return refuse(net, "axis mean: node %d says who is seen with %zu channels, not 1", seen, net->nodes[seen].d);
    n = like(net, OP_AXIS_MEAN, x);
    n.how = (int)keep;
    n.y = seen;
    for (size_t a = 0; a < NSET_MAX_AXES; a++)
        if (keep >> a && net->n_axes < a + 1)
            net->n_axes = a + 1;
    return append(net, n);
}

nset_node nset_net_exchangeable(
    nset_net *net, nset_node x, const char *name, size_t n_axes, size_t d_out, nset_node seen)
{
    nset_node all = x;

    if (!is_entry(net, x, "exchangeable"))
        return -1;
    if (n_axes < 1 || n_axes > NSET_MAX_AXES)
        return refuse(net, "exchangeable: %zu axes, not 1 .. %d", n_axes, NSET_MAX_AXES);
    for (unsigned keep = (1u << n_axes) - 1; keep-- > 0;)
        all = nset_net_concat(net, all, nset_net_axis_mean(net, x, keep, seen));
    return nset_net_dense(net, all, name, d_out);
}

nset_node nset_net_pair_maps(nset_net *net, nset_node x)
{
    node n;

    if (!is_entry(net, x, "pair maps"))
        return -1;
    n = like(net, OP_PAIRS, x);
    n.d *= NSET_PAIR_MAPS;
    return append(net, n);
}

static nset_node change_level(nset_net *net, nset_node x, op kind, int step, const char *what)
{
    node n;

    if (!is_node(net, x, what))
        return -1;
    n = like(net, kind, x);
    if (n.level < 0 || n.level + step < 0 || n.level + step > 20)
        return refuse(net, "%s: node %d is at level %d, from where it does not lead", what, x, n.level);
    n.level += step;
    return append(net, n);
}

nset_node nset_net_down(nset_net *net, nset_node x)
{
    return change_level(net, x, OP_DOWN, 1, "down");
}

nset_node nset_net_up(nset_net *net, nset_node x)
{
    return change_level(net, x, OP_UP, -1, "up");
}

int nset_net_output(nset_net *net, nset_node x)
{
    if (!is_node(net, x, "output"))
        return -1;
    if (nset_grow(&net->outputs, &net->outputs_capacity, net->n_outputs + 1, sizeof *net->outputs, &net->error) !=
        NSET_OK)
        return -1;
    net->outputs[net->n_outputs] = x;
    return (int)net->n_outputs++;
}

/* Glorot & Bengio 2010: uniform in +-sqrt(6 / (fan in + fan out)); a stream a name, so that a layer starts alike
 * wherever it stands. */
static void initialise(nset_real *params, const view *v, uint64_t seed)
{
    size_t n = v->param.rows * v->param.columns;
    nset_random r = nset_random_stream(seed, v->name, 0);
    double bound = v->fan ? sqrt(6. / (double)v->fan) : 0;

    for (size_t i = 0; i < n; i++)
        params[v->param.at + i] = v->fan ? (nset_real)((2 * nset_random_uniform(&r) - 1) * bound) : v->start;
}

nset_status nset_net_finish(nset_net *net, uint64_t seed, nset_error *err)
{
    if (net->error.status == NSET_OK && net->finished)
        refuse(net, "the network is finished already");
    if (net->error.status == NSET_OK && net->n_outputs == 0)
        refuse(net, "the network has no output");
    if (net->error.status == NSET_OK && !(net->params = nset_calloc(net->n_params, sizeof *net->params)))
        nset_fail_oom(&net->error, net->n_params, sizeof *net->params);
    if (net->error.status != NSET_OK)
        return nset_fail(err, net->error.status, "%s", net->error.text);
    for (size_t i = 0; i < net->n_views; i++)
        initialise(net->params, &net->views[i], seed);
    net->finished = true;
    return NSET_OK;
}

size_t nset_net_input_channels(const nset_net *net, int k)
{
    for (size_t i = 0; i < net->n_nodes; i++)
        if (net->nodes[i].op == OP_INPUT && net->nodes[i].how == k)
            return net->nodes[i].d;
    return 0;
}

size_t nset_net_n_params(const nset_net *net)
{
    return net->n_params;
}

nset_real *nset_net_params(nset_net *net)
{
    return net->params;
}

const nset_real *nset_net_params_const(const nset_net *net)
{
    return net->params;
}

size_t nset_net_n_views(const nset_net *net)
{
    return net->n_views;
}

nset_param nset_net_view(const nset_net *net, size_t i)
{
    return net->views[i].param;
}
