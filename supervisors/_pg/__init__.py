"""Process groups (OTP: pg); `supervisors.pg` is their public face.

`groups` is the table, pure; `scope` the process that owns one; `peers` what a distribution
has to offer; `client` the functions users call.
"""
