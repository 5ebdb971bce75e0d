#!/usr/bin/env escript
%%! -kernel logger_level notice
-module(o29_special_process).
-mode(compile).
-compile([export_all, nowarn_export_all, nowarn_unused_function, nowarn_shadow_vars]).

%% O29  1.2, 1.7: a loop of one's own that passes system messages on: state, suspension,
%% code change, statistics, and its ends, the parent's while it is suspended among them.
run() ->
    process_flag(trap_exit, true),
    P = start(),
    sys:statistics(P, true), sys:log(P, true),
    ev(obs, alloc, alloc(P)),
    ev(obs, get_state, sys:get_state(P)),
    ev(obs, replace_state, sys:replace_state(P, fun({T, _}) -> {T, [7, 8]} end)),
    ev(obs, raising, try sys:replace_state(P, fun(_) -> error(no) end)
                     catch _:{{callback_failed, _, _}, _} -> callback_failed;
                           _:{callback_failed, _, _} -> callback_failed end),
    {ok, St} = sys:statistics(P, get),
    ev(obs, counted, [lists:keyfind(K, 1, St) || K <- [messages_in, messages_out]]),
    {ok, L} = sys:log(P, get), ev(obs, log, L),
    sys:no_debug(P),
    ev(obs, running, change(P, 1)),
    ev(obs, suspend, [sys:suspend(P), sys:suspend(P), status(P)]),
    P ! {alloc, self()}, ev(obs, kept, drain()),
    ev(obs, change, [change(P, 1), change(P, 2), sys:get_state(P)]),
    ev(obs, resume, [sys:resume(P), status(P)]), ev(obs, served, drain()),
    sys:terminate(P, {shutdown, asked}), ev(obs, ended, exit_of(P)),
    Q = start(), ev(obs, stop, proc_lib:stop(Q)), ev(obs, ended, exit_of(Q)),
    S = start(), sys:suspend(S), ev(obs, stop_suspended, proc_lib:stop(S, shutdown, 1000)), ev(obs, ended, exit_of(S)),
    Me = self(),
    [begin
         Boss = spawn(fun() -> Me ! {kid, start()}, receive go -> exit(shutdown) end end),
         Kid = receive {kid, K} -> K end, M = monitor(process, Kid),
         [sys:suspend(Kid) || Suspended], Boss ! go,
         receive {'DOWN', M, _, _, R} -> ev(obs, orphan, R) end
     end || Suspended <- [false, true]],
    ev(obs, left, drain()).
start() -> {ok, P} = proc_lib:start_link(?MODULE, sp, [self()]), name(P, sp), P.
alloc(P) -> P ! {alloc, self()}, receive {channel, C} -> C end.
status(P) -> {status, _, {module, M}, [_, S | _]} = sys:get_status(P), {M, S}.
change(P, Vsn) -> case sys:change_code(P, ?MODULE, Vsn, 1000) of ok -> ok; {error, {unknown_system_msg, _}} -> unknown_system_msg; {error, E} -> E end.
exit_of(P) -> receive {'EXIT', P, R} -> R end.
sp(Parent) ->
    process_flag(trap_exit, true), proc_lib:init_ack({ok, self()}),
    loop({[], [1, 2, 3]}, Parent, sys:debug_options([])).
loop({T, F} = S, Parent, Deb) ->
    receive
        {system, From, Req} -> sys:handle_system_msg(Req, From, Parent, ?MODULE, Deb, S);
        {'EXIT', Parent, R} -> ev(sp, orphaned, S), exit(R);
        {alloc, To} ->
            [C | F1] = F, S1 = {[C | T], F1},
            D1 = sys:handle_debug(Deb, fun dbg/3, sp, {in, alloc}), To ! {channel, C},
            loop(S1, Parent, sys:handle_debug(D1, fun dbg/3, sp, {out, C, To, S1}))
    end.
dbg(_, _, _) -> ok.
system_continue(Parent, Deb, S) -> loop(S, Parent, Deb).
system_get_state(S) -> {ok, S}.
system_replace_state(F, S) -> S1 = F(S), {ok, S1, S1}.
system_code_change({T, F}, _, 1, Extra) -> {ok, {T, [Extra * X || X <- F]}};
system_code_change(_, _, Vsn, _) -> {error, Vsn}.
system_terminate(R, _, _, S) -> ev(sp, terminate, {R, S}), exit(R).


%% ---------------------------------------------------------------------------
%% Harness (identical in every scenario file).
%% A trace line is  "<who> <event> <term>".  Pids print as the symbolic name
%% they were introduced under (c1#2 = second incarnation of child c1),
%% references as '$ref', stack traces as '$stack'.  Supervisor reports are part
%% of the order (the supervisor logs them itself); lines starting with "~" are
%% the other reports, sorted: their order is no part of the contract.
%% ---------------------------------------------------------------------------
main(_) ->
    Me = self(),
    ets:new(names, [named_table, public]),
    ets:new(incarnation, [named_table, public]),
    ets:new(plan, [named_table, public]),
    register(trace_log, spawn(fun() -> log_loop([], []) end)),
    logger:remove_handler(default),
    logger:add_handler(trace_h, ?MODULE, #{filter_default => log}),
    name(Me, main),
    process_flag(trap_exit, true),
    {P, R} = spawn_monitor(fun() -> name(self(), obs), run() end),
    receive
        {'DOWN', R, process, P, normal} -> ok;
        {'DOWN', R, process, P, Why} -> ev(main, scenario_crashed, Why)
    end,
    timer:sleep(300),                      % let the last reports come in
    trace_log ! {dump, Me},
    receive {lines, Ls, Rs} ->
        [io:put_chars([L, $\n]) || L <- Ls],
        [io:put_chars(["~ ", L, $\n]) || L <- lists:sort(Rs)]
    end,
    halt(0).

%% Ordered events, and reports whose order is not part of the contract.
log_loop(Acc, Rep) ->
    receive
        {ev, From, Ref, Line} -> From ! {Ref, ok}, log_loop([Line | Acc], Rep);
        {report, Line} -> log_loop(Acc, [Line | Rep]);
        {dump, From} -> From ! {lines, lists:reverse(Acc), Rep}
    end.

%% Synchronous: the event is on record before the caller goes on.
ev(Who, Event, Term) ->
    Ref = make_ref(),
    trace_log ! {ev, self(), Ref, line(Who, Event, Term)},
    receive {Ref, ok} -> ok end.

line(Who, Event, Term) ->
    unicode:characters_to_list(io_lib:format("~ts ~ts ~0tp", [str(Who), str(Event), clean(Term)])).
report(Event, Term) -> trace_log ! {report, line(log, Event, Term)}, ok.

str(X) when is_atom(X) -> atom_to_list(X);
str(X) when is_pid(X) -> str(clean(X));
str(X) -> io_lib:format("~0tp", [X]).

name(Pid, N) -> ets:insert(names, {Pid, N}), N.

%% The label for the next incarnation of Id: c1#1, c1#2, ...
next(Id) ->
    N = ets:update_counter(incarnation, Id, 1, {Id, 0}),
    L = list_to_atom(atom_to_list(Id) ++ "#" ++ integer_to_list(N)),
    name(self(), L), {L, N}.

clean(P) when is_pid(P) ->
    case ets:lookup(names, P) of [{_, N}] -> N; [] -> '$pid' end;
clean(R) when is_reference(R) -> '$ref';
clean(F) when is_function(F) -> '$fun';
clean([{M, F, A, L} | _]) when is_atom(M), is_atom(F), is_list(L),
                               (is_integer(A) orelse is_list(A)) -> '$stack';
clean([H | T]) -> [clean(H) | clean(T)];
clean(T) when is_tuple(T) -> list_to_tuple([clean(X) || X <- tuple_to_list(T)]);
clean(M) when is_map(M) -> maps:map(fun(_, V) -> clean(V) end, M);
clean(X) -> X.

%% Reports seen by the logger, as trace lines.
log(#{msg := {report, #{label := {supervisor, progress}}}}, _) -> ok;
log(#{msg := {report, #{label := {supervisor, Ctx}, report := R}}}, _) ->
    Off = proplists:get_value(offender, R),
    ev(log, supervisor_report, {Ctx, proplists:get_value(id, Off),
                                proplists:get_value(reason, R)});
log(#{msg := {report, #{label := {gen_server, terminate}, name := N, reason := R}}}, _) ->
    report(gen_server_terminate, {N, R});
log(#{msg := {report, #{label := {proc_lib, crash}, report := [I | _]}}}, _) ->
    {C, R, _} = proplists:get_value(error_info, I),
    report(crash_report, {proplists:get_value(pid, I), C, R});
log(#{msg := {string, S}}, _) -> report(string, lists:flatten(S));
log(#{msg := {report, #{label := L}}}, _) -> report(report, L);
log(#{msg := {F, A}}, _) when is_list(F) ->
    report(message, lists:flatten(io_lib:format(F, clean(A))));
log(_, _) -> ok.

drain() -> receive M -> [clean(M) | drain()] after 50 -> [] end.
wait(F) -> wait(F, 400).
wait(_, 0) -> timeout;
wait(F, N) -> case F() of true -> ok; _ -> timer:sleep(5), wait(F, N - 1) end.
