"""Applications (OTP: application); `supervisors.application` is their public face.

`behaviour` is the class users subclass, `master` the process that owns one running
application, `controller` the process that knows them all, `belonging` how processes are
told to be part of one, `node_down` what the end of an important one means, `client` the
functions users call.
"""
