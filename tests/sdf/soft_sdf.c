/* A device in software with the interface of GM/T 0018 (SDF), for tests: SM2 by libcrypto.
 *
 * Keys are loaded with SoftSDF_LoadKey, or at SDF_OpenDevice as key 1 from the file that the
 * environment names in SOFT_SDF_KEY (32 bytes). SoftSDF_Break makes later signatures wrong, and so
 * does, for as long as it exists, the file that the environment names in SOFT_SDF_FAULT.
 * Built against the declarations below, so that no headers of OpenSSL are needed.
 */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct evp_pkey_st EVP_PKEY;
typedef struct evp_pkey_ctx_st EVP_PKEY_CTX;
typedef struct bignum_st BIGNUM;
typedef struct ec_group_st EC_GROUP;
typedef struct ec_point_st EC_POINT;
typedef struct { const char *key; unsigned type; void *data; size_t size, returned; } OSSL_PARAM;

EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_name(void *, const char *, const char *);
EVP_PKEY_CTX *EVP_PKEY_CTX_new_from_pkey(void *, EVP_PKEY *, const char *);
void EVP_PKEY_CTX_free(EVP_PKEY_CTX *);
void EVP_PKEY_free(EVP_PKEY *);
int EVP_PKEY_fromdata_init(EVP_PKEY_CTX *);
int EVP_PKEY_fromdata(EVP_PKEY_CTX *, EVP_PKEY **, int, OSSL_PARAM *);
int EVP_PKEY_sign_init(EVP_PKEY_CTX *);
int EVP_PKEY_sign(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
int EVP_PKEY_decrypt_init(EVP_PKEY_CTX *);
int EVP_PKEY_decrypt(EVP_PKEY_CTX *, unsigned char *, size_t *, const unsigned char *, size_t);
BIGNUM *BN_bin2bn(const unsigned char *, int, BIGNUM *);
void BN_free(BIGNUM *);
EC_GROUP *EC_GROUP_new_by_curve_name(int);
void EC_GROUP_free(EC_GROUP *);
EC_POINT *EC_POINT_new(const EC_GROUP *);
void EC_POINT_free(EC_POINT *);
int EC_POINT_mul(const EC_GROUP *, EC_POINT *, const BIGNUM *, const EC_POINT *, const BIGNUM *, void *);
size_t EC_POINT_point2oct(const EC_GROUP *, const EC_POINT *, int, unsigned char *, size_t, void *);

enum { SM2_NID = 1172, UNCOMPRESSED = 4, PAIR = 0x87, KEYS = 16, PASSWORD_MAX = 64 };
enum {
    OK = 0, NOT_SUPPORTED = 0x01000002, OPEN_DEVICE = 0x01000005, DENIED = 0x01000007,
    NO_KEY = 0x01000008, SIGN_FAILED = 0x0100000D, BAD_ARGUMENT = 0x0100001D,
};

typedef struct { unsigned bits; unsigned char x[64], y[64]; } PublicKey;
typedef struct { unsigned char r[64], s[64]; } Signature;
typedef struct { unsigned char x[64], y[64], hash[32]; unsigned length; unsigned char text[]; } Cipher;
typedef struct { unsigned char is_allowed[KEYS]; } Session;

static struct { int is_set; unsigned char d[32], point[65]; char password[PASSWORD_MAX + 1]; } keys[KEYS];
static int is_broken;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

int SoftSDF_LoadKey(unsigned index, const unsigned char *d, const char *password) {
    if (index >= KEYS || strlen(password) > PASSWORD_MAX) return BAD_ARGUMENT;
    EC_GROUP *group = EC_GROUP_new_by_curve_name(SM2_NID);
    EC_POINT *point = EC_POINT_new(group);
    BIGNUM *scalar = BN_bin2bn(d, 32, NULL);
    pthread_mutex_lock(&lock);
    EC_POINT_mul(group, point, scalar, NULL, NULL, NULL);
    EC_POINT_point2oct(group, point, UNCOMPRESSED, keys[index].point, 65, NULL);
    memcpy(keys[index].d, d, 32);
    strcpy(keys[index].password, password);
    keys[index].is_set = 1;
    pthread_mutex_unlock(&lock);
    BN_free(scalar);
    EC_POINT_free(point);
    EC_GROUP_free(group);
    return OK;
}

void SoftSDF_Break(int how) { is_broken = how; }

int SDF_OpenDevice(void **device) {
    const char *name = getenv("SOFT_SDF_KEY"), *password = getenv("SOFT_SDF_PASSWORD");
    if (name) {
        unsigned char d[32];
        FILE *file = fopen(name, "rb");
        size_t got = file ? fread(d, 1, 32, file) : 0;
        if (file) fclose(file);
        if (got != 32 || SoftSDF_LoadKey(1, d, password ? password : "") != OK) return OPEN_DEVICE;
    }
    *device = &keys;
    return OK;
}

int SDF_CloseDevice(void *device) { (void)device; return OK; }

int SDF_OpenSession(void *device, void **session) {
    if (device != &keys) return BAD_ARGUMENT;
    *session = calloc(1, sizeof(Session));
    return OK;
}

int SDF_CloseSession(void *session) { free(session); return OK; }

int SDF_GetPrivateKeyAccessRight(void *session, unsigned index, unsigned char *password, unsigned size) {
    if (index >= KEYS || !keys[index].is_set) return NO_KEY;
    if (size != strlen(keys[index].password) || memcmp(password, keys[index].password, size)) return DENIED;
    ((Session *)session)->is_allowed[index] = 1;
    return OK;
}

int SDF_ExportSignPublicKey_ECC(void *session, unsigned index, PublicKey *out) {
    (void)session;
    if (index >= KEYS || !keys[index].is_set) return NO_KEY;
    memset(out, 0, sizeof *out);
    out->bits = is_broken == 2 ? 384 : 256;
    memcpy(out->x + 32, keys[index].point + 1, 32);
    memcpy(out->y + 32, keys[index].point + 33, 32);
    if (is_broken == 3) memcpy(out->x, keys[index].point + 1, 32);
    return OK;
}

static EVP_PKEY *pair_of(unsigned index) {
    /* OSSL_PARAM integers are little endian here, as on every machine that the tests run on. */
    unsigned char reversed[32];
    for (int i = 0; i < 32; i++) reversed[i] = keys[index].d[31 - i];
    OSSL_PARAM params[] = {
        {"group", 4, "SM2", 3, (size_t)-1},
        {"pub", 5, keys[index].point, 65, (size_t)-1},
        {"priv", 2, reversed, 32, (size_t)-1},
        {NULL, 0, NULL, 0, 0},
    };
    EVP_PKEY *pair = NULL;
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "SM2", NULL);
    if (EVP_PKEY_fromdata_init(context) == 1) EVP_PKEY_fromdata(context, &pair, PAIR, params);
    EVP_PKEY_CTX_free(context);
    return pair;
}

/* One INTEGER of a DER signature, right aligned in 64 bytes; the place after it. */
static const unsigned char *number(const unsigned char *der, unsigned char *out) {
    unsigned size = der[1];
    const unsigned char *value = der + 2, *end = value + size;
    while (size > 32) { value++; size--; }
    memset(out, 0, 64);
    memcpy(out + 64 - size, value, size);
    return end;
}

int SDF_InternalSign_ECC(void *session, unsigned index, unsigned char *digest, unsigned size, Signature *out) {
    if (index >= KEYS || !keys[index].is_set) return NO_KEY;
    if (!((Session *)session)->is_allowed[index]) return DENIED;
    if (size != 32) return BAD_ARGUMENT;
    unsigned char der[80];
    size_t length = sizeof der;
    EVP_PKEY *pair = pair_of(index);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    int is_signed = EVP_PKEY_sign_init(context) == 1 && EVP_PKEY_sign(context, der, &length, digest, 32) == 1;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pair);
    if (!is_signed) return SIGN_FAILED;
    number(number(der + 2, out->r), out->s);
    const char *fault = getenv("SOFT_SDF_FAULT");
    if (is_broken == 1 || (fault && access(fault, F_OK) == 0)) out->s[63] ^= 1;
    return OK;
}

#ifndef WITHOUT_DECRYPT
/* C1 || C3 || C2 as the DER that libcrypto opens. */
int SDF_InternalDecrypt_ECC(void *session, unsigned index, unsigned kind, Cipher *sealed, unsigned char *out,
                            unsigned *size) {
    if (index >= KEYS || !keys[index].is_set) return NO_KEY;
    if (!((Session *)session)->is_allowed[index]) return DENIED;
    if (kind != 0x00020800 || sealed->length > 60000) return BAD_ARGUMENT;
    unsigned length = sealed->length;
    unsigned char *der = malloc(length + 160), *at = der + 4;
    const unsigned char *numbers[] = {sealed->x + 32, sealed->y + 32};
    for (int i = 0; i < 2; i++) {
        const unsigned char *value = numbers[i];
        int digits = 32;
        while (digits > 1 && !*value) { value++; digits--; }
        int has_sign = *value >> 7;
        *at++ = 2;
        *at++ = digits + has_sign;
        if (has_sign) *at++ = 0;
        memcpy(at, value, digits);
        at += digits;
    }
    *at++ = 4; *at++ = 32;
    memcpy(at, sealed->hash, 32);
    at += 32;
    *at++ = 4;
    if (length >= 256) { *at++ = 0x82; *at++ = length >> 8; }
    else if (length >= 128) *at++ = 0x81;
    *at++ = length & 0xff;
    memcpy(at, sealed->text, length);
    at += length;
    size_t body = at - der - 4;
    unsigned char *begin;
    if (body >= 256) { begin = der; begin[1] = 0x82; begin[2] = body >> 8; begin[3] = body & 0xff; }
    else if (body >= 128) { begin = der + 1; begin[1] = 0x81; begin[2] = body; }
    else { begin = der + 2; begin[1] = body; }
    begin[0] = 0x30;
    EVP_PKEY *pair = pair_of(index);
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, pair, NULL);
    unsigned char *plain = malloc(length + 256);
    size_t opened = length + 256;
    int is_open = EVP_PKEY_decrypt_init(context) == 1 &&
                  EVP_PKEY_decrypt(context, plain, &opened, begin, at - begin) == 1 && opened <= *size;
    EVP_PKEY_CTX_free(context);
    EVP_PKEY_free(pair);
    if (is_open) { memcpy(out, plain, opened); *size = opened; }
    free(plain);
    free(der);
    return is_open ? OK : 0x0100000C;
}
#endif
