"""The access log (访问日志): who asked this node what, hash-chained, its heads on the chain (8.6).

It has no bodies of requests, no answers and no secrets: a request is named by its SM3, as in the
header that its caller signed.

entry     what is written, its bytes and the chain of hashes over them
folder    the files of a log and how one is read, whole or torn
keeper    writes: appends, begins a file each hour, removes what is too old
repeats   many refusals of one kind become one entry
verify    the chain of a whole folder: the first entry that was altered or is missing
anchors   heads of closed files on the chain, made by the node and compared by an auditor
search    entries that an auditor asks for
"""
